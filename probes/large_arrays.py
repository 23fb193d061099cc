"""Arrays that need not fit in memory: beyond a bound they are temporary files, which the system pages in and out."""

from __future__ import annotations

import contextlib
import itertools
import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, Shaped
from numpy.typing import DTypeLike

IN_MEMORY = 1 << 25
"""Bytes up to which an array is ordinary memory; an audit holds some twenty arrays of its replicas and samples."""
TAKEN = 4
"""By how much smaller this bound is for `taken`: what is chosen of answers is several arrays."""
AT_ONCE = 1 << 20
"""Numbers that are computed at a time: 8 MiB in float64."""
FIRST_SLAB, LARGEST_SLAB = 1 << 22, 1 << 28
"""Bytes that `Collected` reserves at a time: each time twice as many."""
SLAB_IN_MEMORY = 1 << 23
ALIGNED = 64
"""Bytes: products of matrices that begin elsewhere may differ in their last bits."""
PERSISTENT = Path("/var/tmp")
"""Preferred to the default, which is kept in memory on many systems."""


def empty(shape: tuple[int, ...], dtype: DTypeLike, *, in_memory: int | None = None) -> Shaped[np.ndarray, "..."]:
    """An uninitialised array of more than `in_memory` bytes (IN_MEMORY by default) is a file without a name: it is
    shared with forked processes, and gone with the last of them. It is ordinary memory where the disk has no room.

    The folder is TMPDIR, else /var/tmp.

    >>> empty((2, 3), np.float32).shape
    (2, 3)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > (IN_MEMORY if in_memory is None else in_memory):
        with contextlib.suppress(OSError):
            return np.frombuffer(_mapped(size), dtype=dtype, count=math.prod(shape)).reshape(shape)
    room = np.empty(size + ALIGNED, np.uint8)
    start = -room.ctypes.data % ALIGNED
    return room[start : start + size].view(dtype).reshape(shape)


def concatenate(
    parts: Sequence[Shaped[np.ndarray, "..."]], *, in_memory: int | None = None
) -> Shaped[np.ndarray, "..."]:
    """`np.concatenate` along the first axis, into `empty`. Raises ValueError as it does."""
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    return np.concatenate(parts, out=empty(shape, np.result_type(*parts), in_memory=in_memory))


def parts(samples: int, numbers: int = 1) -> Iterator[slice]:
    """Slices of nearly equal lengths that cover the samples, each with at most AT_ONCE numbers, or of one sample.

    samples  to be divided
    numbers  that are computed for each of them; 1 by default

    >>> list(parts(3))
    [slice(0, 3, None)]
    """
    count = max(1, min(samples, -(-samples * max(1, numbers) // AT_ONCE)))
    ends = np.linspace(0, samples, 1 + count).astype(np.int64).tolist()
    return (slice(one, other) for one, other in itertools.pairwise(ends))


def taken(
    array: Shaped[np.ndarray, "..."],
    chosen: Int[np.ndarray, " chosen"] | Bool[np.ndarray, " all"],
    axis: int = 0,
) -> Shaped[np.ndarray, "..."]:
    """The chosen entries along the first or the last axis. What is more than a few samples' numbers is a view where
    they are consecutive, else a copy in `empty`.

    >>> taken(np.arange(6).reshape(2, 3), np.array([2, 0]), axis=-1).tolist()
    [[2, 0], [5, 3]]
    """
    places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
    numbers = array.size // max(1, array.shape[axis]) * len(places)
    if numbers <= AT_ONCE or array.dtype.hasobject:
        return np.asarray(array[chosen] if axis == 0 else array[..., chosen])
    if (np.diff(places) == 1).all():
        consecutive = slice(int(places[0]), int(places[-1]) + 1)
        return array[consecutive] if axis == 0 else array[..., consecutive]
    shape = (len(places), *array.shape[1:]) if axis == 0 else (*array.shape[:-1], len(places))
    # With the default mode, numpy gathers into memory of its own first.
    found = empty(shape, array.dtype, in_memory=IN_MEMORY // TAKEN)
    return np.take(array, places, axis=axis, out=found, mode="wrap")


class Collected:
    """Copies of arrays, for as long as their number is unknown: the first 12 MiB are ordinary memory, further ones are
    files as those of `empty`.

    >>> kept = Collected()
    >>> kept.keep(np.array([1.5, 2.5])).tolist()
    [1.5, 2.5]
    """

    def __init__(self) -> None:
        self.free = np.empty(0, np.uint8)
        self.slab = FIRST_SLAB // 2

    def keep(self, array: Shaped[np.ndarray, "*axes"]) -> Shaped[np.ndarray, "*axes"]:
        """A copy in a slab; the arrays of a slab are freed together."""
        size = array.nbytes
        if size > len(self.free):
            self.slab = min(2 * self.slab, LARGEST_SLAB)
            self.free = empty((max(size, self.slab),), np.uint8, in_memory=SLAB_IN_MEMORY)
        kept = self.free[:size].view(array.dtype).reshape(array.shape)
        self.free = self.free[-(-size // ALIGNED) * ALIGNED :]
        kept[...] = array
        return kept


def _mapped(size: int) -> mmap.mmap:
    """Raises OSError if the disk has no room: a file that is only declared would end the process when it is full."""
    folder = tempfile.gettempdir() if "TMPDIR" in os.environ or not PERSISTENT.is_dir() else PERSISTENT
    if shutil.disk_usage(folder).free < 2 * size:
        raise OSError("no room")
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return mmap.mmap(file.fileno(), size)
