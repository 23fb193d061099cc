"""Write a file completely or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from probes.errors import StoreError

UNFINISHED = ".tmp"
"""The suffix of files that are being written."""
SEEN_AFTER = 5.0
"""Seconds for which a network file system may remember that a file was not there: NFS three by default."""


def private_folder(folder: Path) -> None:
    """Created with access only for its owner: results reveal which records were trained on."""
    for missing in [one for one in (folder, *folder.parents) if not one.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, readable only by its owner, to write to inside the block.

    At its end the file is flushed to disk and renamed to `path`, which therefore is never incomplete, whatever fails;
    if the block raises, nothing is left. Raises OSError, also for a device or a pipe, whose place a file would take.
    """
    if _is_device(path):
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a file")
    if not path.name:
        raise OSError(errno.EISDIR, "it is a folder")
    private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{me()}-{threading.get_ident()}{UNFINISHED}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        yield temporary
        _flush(temporary)
        _rename(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # a problem with the folder has already been reported
            temporary.unlink()


def write(path: Path, content: str | bytes, *, do: str = "Choose another --out.") -> None:
    """Write all of `content`, or nothing. Raises StoreError."""
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    try:
        if _is_device(path, stat.S_ISCHR):  # /dev/null and the like take what is written
            path.write_bytes(data)
            return
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise StoreError(why_not_written(error), where=str(path), do=do) from None


def _is_device(path: Path, *kinds: Callable[[int], bool]) -> bool:
    """Whether something of these kinds is there; by default a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return any(kind(mode) for kind in kinds or (stat.S_ISCHR, stat.S_ISBLK, stat.S_ISFIFO, stat.S_ISSOCK))


def why_not_written(error: Exception) -> str:
    """Why a file could not be written, in words."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in str(error):
        return "the disk is full."
    return f"cannot be written: {getattr(error, 'strerror', None) or error}."


def me() -> str:
    """Identifies this process in the names of files that must not outlive it."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _rename(temporary: Path, path: Path) -> None:
    """Raises OSError. A network file system repeats a rename whose answer was lost, and then reports that there is
    nothing to rename; the file may be seen only after `SEEN_AFTER`."""
    written = temporary.stat().st_mtime_ns
    try:
        temporary.replace(path)
    except FileNotFoundError:
        until = time.monotonic() + SEEN_AFTER
        while not _is_at_least(path, written):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def _is_at_least(path: Path, modified: int) -> bool:
    try:
        return path.stat().st_mtime_ns >= modified
    except FileNotFoundError:
        return False


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
