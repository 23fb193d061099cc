"""Arrays of an .npz archive, their declared sizes checked against the file's size before memory is allocated."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from audit.storage.bounded import check_archive, may_become, regular
from probes.errors import DataError, first_line
from probes.large_arrays import empty

UNREADABLE = (
    zipfile.BadZipFile, zlib.error, ValueError, OSError, EOFError, SyntaxError, TypeError, RuntimeError, MemoryError,
    NotImplementedError, OverflowError, KeyError, TokenError,
)  # fmt: skip
"""What numpy and zipfile raise: any header of an archive or of an array may be invalid."""

CHUNK = 1 << 24
"""Bytes read at a time."""


def read_arrays(path: Path, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, or those of `names` that it holds. Never unpickles.

    Raises DataError if the file is not an .npz, or would take more memory than its size allows.
    """
    size = regular(path, DataError, do="Check the path in the recipe.")
    try:
        check_archive(path, size, DataError)
        with zipfile.ZipFile(path) as archive:
            held = {name.removesuffix(".npy"): name for name in archive.namelist()}
            chosen = list(held) if names is None else [name for name in names if name in held]
            return {name: _array(archive, held[name], size) for name in chosen}
    except DataError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def read_array(path: Path) -> np.ndarray:
    """The array of an .npy. Never unpickles.

    Raises DataError where the file is none, or would take more memory than its size allows.
    """
    size = regular(path, DataError)
    try:
        with path.open("rb") as file:
            return _of(file, path.name, size)
    except UNREADABLE as error:
        raise DataError(f"is not an array: {_first_line(error)}", where=str(path)) from None


def names_in(path: Path) -> list[str]:
    """Names of the arrays of an .npz that `read_arrays` can open."""
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"cannot be read as an .npz of plain arrays: {_first_line(error)}", where=str(path))


def _first_line(error: Exception) -> str:
    return first_line(error)


def _array(archive: zipfile.ZipFile, record: str, size: int) -> np.ndarray:
    with archive.open(record) as file:
        return _of(file, record, size)


def _of(file: Any, name: str, size: int) -> np.ndarray:
    shape, fortran, dtype = _header(file)
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject:
        raise ValueError("it holds pickled objects, which could run code")
    if count < 0 or not may_become(count * max(dtype.itemsize, 1), size):
        raise ValueError(f"{name} declares {shape} of {dtype}, which the file cannot hold")
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    array = empty(shape[::-1] if fortran else shape, dtype)
    wanted = array.reshape(-1).view(np.uint8).data
    read = 0
    while read < len(wanted) and (more := file.readinto(wanted[read : read + CHUNK])):
        read += more
    if read < len(wanted):
        raise ValueError(f"{name} is truncated")
    return np.ascontiguousarray(array.T) if fortran else array


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    return tuple(int(length) for length in shape), bool(fortran), dtype
