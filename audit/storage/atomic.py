"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from probes.errors import StoreError

UNFINISHED = ".tmp"
"""How names of files end that are being written."""


def private_folder(folder: Path) -> None:
    """Made for its owner alone where it is not there: results say of records who was trained on them."""
    for missing in [one for one in (folder, *folder.parents) if not one.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, readable by its owner alone, to write to inside the block.

    At its end the file is flushed to the disk and renamed to `path`, which therefore never stands for less than all of
    it, whatever fails; where the block raises, nothing is left. Raises OSError.
    """
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{me()}-{threading.get_ident()}{UNFINISHED}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # what is wrong with the folder has been said
            temporary.unlink()


def write(path: Path, content: str | bytes, *, do: str = "Choose another --out.") -> None:
    """All of `content`, or nothing. Raises StoreError."""
    data = content.encode() if isinstance(content, str) else content
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise StoreError(why_not_written(error), where=str(path), do=do) from None


def why_not_written(error: Exception) -> str:
    """In words, what kept a file from being written."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in str(error):
        return "the disk is full."
    return f"cannot be written: {getattr(error, 'strerror', None) or error}."


def me() -> str:
    """This process, in names of what must not outlive it."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
