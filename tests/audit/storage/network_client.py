"""A folder as a client of a network file system sees it, mounted with FUSE; each mount is a client of its own.

python -m tests.audit.storage.network_client SHARED MOUNT SECONDS

What other clients do is seen up to SECONDS late, as file attributes and the absence of files are cached. Reading on in
a file that another client removed or replaced fails (ESTALE), and ends a process that has mapped it. Every third rename
is carried out, but reported as failed (ENOENT), as where an answer was lost and the request repeated. There are no
locks, no links, and O_EXCL does not exclude other clients.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from pathlib import Path
from typing import Any

from fuse import FUSE, FuseOSError, Operations

SEEN = ("st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid")
ROOM = (
    "f_bavail",
    "f_bfree",
    "f_blocks",
    "f_bsize",
    "f_favail",
    "f_ffree",
    "f_files",
    "f_flag",
    "f_frsize",
    "f_namemax",
)
LOST = 3
"""Of so many renames, the answer of one is lost."""


class Client(Operations):  # type: ignore[misc]
    def __init__(self, shared: str) -> None:
        self.shared, self.renames, self.counting = shared, 0, threading.Lock()

    def _at(self, path: str) -> Path:
        return Path(self.shared + path)

    def getattr(self, path: str, handle: int | None = None) -> dict[str, Any]:
        found = self._at(path).lstat()
        return {name: getattr(found, name) for name in SEEN}

    def statfs(self, path: str) -> dict[str, Any]:
        found = os.statvfs(self._at(path))
        return {name: getattr(found, name) for name in ROOM}

    def readdir(self, path: str, handle: int) -> list[str]:
        return [".", "..", *(one.name for one in self._at(path).iterdir())]

    def mkdir(self, path: str, mode: int) -> None:
        self._at(path).mkdir(mode)

    def rmdir(self, path: str) -> None:
        self._at(path).rmdir()

    def unlink(self, path: str) -> None:
        self._at(path).unlink()

    def chmod(self, path: str, mode: int) -> None:
        self._at(path).chmod(mode)

    def utimens(self, path: str, times: tuple[float, float] | None = None) -> None:
        os.utime(self._at(path), times)

    def truncate(self, path: str, length: int, handle: int | None = None) -> None:
        os.truncate(self._at(path), length)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), flags)

    def create(self, path: str, mode: int, handle: object = None) -> int:
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path: str, size: int, offset: int, handle: int) -> bytes:
        if not os.fstat(handle).st_nlink:
            raise FuseOSError(errno.ESTALE)
        return os.pread(handle, size, offset)

    def write(self, path: str, data: bytes, offset: int, handle: int) -> int:
        return os.pwrite(handle, data, offset)

    def fsync(self, path: str, data_only: int, handle: int) -> None:
        os.fsync(handle)

    def release(self, path: str, handle: int) -> None:
        os.close(handle)

    def rename(self, old: str, new: str) -> None:
        self._at(old).replace(self._at(new))
        with self.counting:
            self.renames += 1
            lost = self.renames % LOST == 0
        if lost:
            raise FuseOSError(errno.ENOENT)

    def link(self, target: str, source: str) -> None:
        raise FuseOSError(errno.EPERM)

    def lock(self, *given: object) -> None:
        raise FuseOSError(errno.ENOLCK)


if __name__ == "__main__":
    shared, mount, late = sys.argv[1], sys.argv[2], float(sys.argv[3])
    caches = dict.fromkeys(("attr_timeout", "entry_timeout", "negative_timeout"), late)
    FUSE(Client(shared), mount, foreground=True, **caches)
