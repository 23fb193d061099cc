"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from probes.errors import StoreError


def private_folder(folder: Path) -> None:
    """Made for its owner alone where it is not there: results say of records who was trained on them."""
    for missing in [one for one in (folder, *folder.parents) if not one.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, content: str | bytes, *, do: str = "Choose another --out.") -> None:
    """Under a temporary name, then renamed; readable by its owner alone. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        private_folder(path.parent)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}.", where=str(path), do=do) from None
    finally:
        with contextlib.suppress(OSError):  # what is wrong with the folder has been said
            temporary.unlink()
