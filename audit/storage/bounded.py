"""Untrusted files, opened only if they are regular files, and read only up to a limit.

A device never ends, a pipe waits for its writer, and an archive may declare a thousand times its own size: each is
refused before any memory is allocated for it.
"""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from probes.errors import InputError

MIB = 2**20
FREE = 64 * MIB
"""Bytes to which any file may expand."""
EXPANSION = 100
"""Beyond that, how many times its own size a file may expand to: black images and one-hot columns stay below."""
MOST_ENTRIES = 100_000
WITHOUT_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Some files of /proc are regular and yet wait for what is written to them."""


def regular(path: Path, error: type[InputError], *, do: str = "Check the path.") -> int:
    """The size of a regular file in bytes. Raises `error` for anything else: a folder, a device, a pipe, a socket."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise error("no such file", where=str(path), do=do) from None
    except (OSError, ValueError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
        raise error(f"cannot be read: {reason}.", where=str(path), do=do) from None
    if stat.S_ISDIR(status.st_mode):
        raise error("no such file: it is a folder.", where=str(path), do=do)
    if not stat.S_ISREG(status.st_mode):
        raise error("is a device or a pipe, not a file.", where=str(path), do=do)
    return status.st_size


def read_bytes(path: Path, most: int, error: type[InputError], *, do: str = "Check the path.") -> bytes:
    """The content of a regular file of at most `most` bytes. Raises `error`."""
    size = regular(path, error, do=do)
    if size > most:
        raise error(f"has {size / MIB:,.0f} MiB; at most {most / MIB:,.0f} MiB are read.", where=str(path))
    try:
        with os.fdopen(os.open(path, WITHOUT_WAITING), "rb") as file:
            content = file.read(most + 1)
    except OSError as wrong:
        raise error(f"cannot be read: {wrong.strerror}.", where=str(path)) from None
    if content is None:
        raise error("cannot be read: it waits for its content.", where=str(path), do=do)
    if len(content) > most:  # /proc reports its endless files as empty
        raise error(f"has more than {most / MIB:,.0f} MiB.", where=str(path))
    return content


def read_text(path: Path, most: int, error: type[InputError], *, do: str = "Check the path.") -> str:
    """The text of a regular UTF-8 file, without a byte order mark. Raises `error`."""
    return text_of(read_bytes(path, most, error, do=do), path, error)


def lines_in(path: Path, most: int, error: type[InputError]) -> Iterator[str]:
    """The lines of such a file, one at a time; only a line feed ends one, because JSON strings may hold other
    separators, such as U+2028. Raises `error`."""
    size = regular(path, error, do="Check the path.")
    if size > most:
        raise error(f"has {size / MIB:,.0f} MiB; at most {most / MIB:,.0f} MiB are read.", where=str(path))
    read = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(most - read + 1):
                read += len(line)
                if read > most:
                    raise error(f"has more than {most / MIB:,.0f} MiB.", where=str(path))
                yield _line(line, read - len(line), path, error)
    except OSError as wrong:
        raise error(f"cannot be read: {wrong.strerror}.", where=str(path)) from None


def _line(content: bytes, start: int, path: Path, error: type[InputError]) -> str:
    try:
        return content.decode("utf-8" if start else "utf-8-sig").rstrip("\n")
    except UnicodeDecodeError as wrong:
        place = start + wrong.start
        raise error(f"is not UTF-8 text: byte {place}.", where=str(path), do="Save it as UTF-8.") from None


def text_of(content: bytes, path: Path, error: type[InputError]) -> str:
    """The text of a file whose bytes were read already."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise error(f"is not UTF-8 text: byte {wrong.start}.", where=str(path), do="Save it as UTF-8.") from None


def may_become(declared: int, size: int) -> bool:
    """Whether a file of `size` bytes may declare that its content takes `declared` bytes."""
    return declared <= FREE + EXPANSION * size


def check_archive(path: Path, size: int, error: type[InputError]) -> None:
    """Raises `error` if a zip archive declares more than its size allows, or its records overlap."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
    if len(records) > MOST_ENTRIES:
        raise error(f"holds {len(records):,} records.", where=str(path))
    if not may_become(sum(record.file_size for record in records), size):
        declared = sum(record.file_size for record in records) / MIB
        raise error(
            f"has {size / MIB:,.1f} MiB and would expand to {declared:,.0f}; it was not read.",
            where=str(path),
            do="Save it without compression.",
        )
    if sum(record.compress_size for record in records) > size:
        raise error("is damaged: its records overlap.", where=str(path), do="Copy it again.")


def exists(path: Path) -> bool:
    """Whether a path that a file names leads anywhere; False for one that cannot be a path (too long, a zero byte).

    >>> exists(Path("x" * 5000))
    False
    """
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether a path that a file names is a folder; False for one that cannot be a path.

    >>> is_folder(Path("x" * 5000))
    False
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
