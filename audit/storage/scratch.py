"""Folders and files that must not outlive a process: their names contain its id, and they are removed once it is
gone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from audit.storage.atomic import UNFINISHED, me, private_folder, why_not_written
from probes.errors import StoreError


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A temporary folder; also removes what killed runs left behind on this machine."""
    parent = folder / "scratch"
    try:
        private_folder(parent)
        for path in (*parent.iterdir(), *folder.glob(f"??/*{UNFINISHED}")):
            if owner_is_gone(path.name):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        made = tempfile.mkdtemp(prefix=f"{me()}-", dir=parent)
    except OSError as error:
        raise StoreError(why_not_written(error), where=str(folder), do="Choose another --store.") from None
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def owner_is_gone(name: str) -> bool:
    """Whether the name contains, at its start or after a key, a process of this machine that no longer exists."""
    found = re.search(rf"(?:^|\.){re.escape(socket.gethostname())}-(\d+)-", name)
    if found is None:
        return False
    try:
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
