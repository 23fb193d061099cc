"""A store that several machines can reach: an object store, or a folder of another file system, by its URL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from audit.storage.atomic import replacing
from probes.errors import DependencyError, StoreError


@dataclass(frozen=True)
class Remote:
    """Files by their path below a URL that fsspec supports: `s3://bucket/replicas`, `gs://…`, `file:///mnt/…`.

    An entry that an interrupted machine left half-written is detected by its checksum when it is read.
    """

    url: str

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """Raises DependencyError if fsspec lacks a package for this kind of URL."""
        import fsspec

        try:
            files, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            kind = self.url.partition("://")[0]
            raise DependencyError(f"{error}", do=f"Install the package that fsspec needs for {kind}://.") from None
        except Exception as error:  # some file systems connect at once, and raise what their libraries raise
            raise _unreachable(self.url, error) from None
        return files, root

    def holds(self, name: str) -> bool:
        files, root = self._place
        with _told(self.url):
            return bool(files.exists(f"{root}/{name}"))

    def size(self, name: str) -> int | None:
        """In bytes; None if there is no such file."""
        files, root = self._place
        with _told(self.url):
            try:
                return int(files.size(f"{root}/{name}"))
            except FileNotFoundError:
                return None

    def fetch(self, name: str, path: Path) -> bool:
        """Download the complete file to `path`; returns False if it does not exist."""
        files, root = self._place
        with _told(self.url):
            try:
                with replacing(path) as temporary:
                    files.get_file(f"{root}/{name}", str(temporary))
            except FileNotFoundError:
                return False
        return True

    def put(self, name: str, path: Path) -> None:
        files, root = self._place
        with _told(self.url):
            files.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            files.put_file(str(path), f"{root}/{name}")

    def remove(self, name: str) -> None:
        """Does nothing if the file does not exist."""
        files, root = self._place
        with _told(self.url), contextlib.suppress(FileNotFoundError):
            files.rm_file(f"{root}/{name}")


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Converts any exception of another library's file system to one line. Raises StoreError."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise _unreachable(url, error) from None


def _unreachable(url: str, error: Exception) -> StoreError:
    said = str(error).strip() or type(error).__name__
    return StoreError(f"cannot be reached: {said}", where=url, do="Check the URL and your permissions.")
