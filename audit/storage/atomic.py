"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from probes.errors import StoreError


def write(path: Path, content: str | bytes, *, do: str = "Choose another --out.") -> None:
    """Under a temporary name, then renamed. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}.", where=str(path), do=do) from None
    finally:
        with contextlib.suppress(OSError):  # what is wrong with the folder has been said
            temporary.unlink()
