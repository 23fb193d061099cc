"""Exact duplicates, by content hash. A plain hash of a record tells who is a member: none leaves this package."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Int64, Shaped


def content(inputs: Shaped[np.ndarray, "samples ..."]) -> Int64[np.ndarray, " samples"]:
    """Equal numbers for equal samples: −0 is 0, and NaN is NaN. Two samples are never equal by chance (BLAKE2b)."""
    return together(inputs)[0]


def together(
    *parts: Shaped[np.ndarray, "..."],
) -> tuple[Int64[np.ndarray, " samples"], ...]:
    """The same for several arrays of samples at once, so that equal samples of different arrays are equal too."""
    seen: dict[bytes, int] = {}
    numbered = []
    for inputs in parts:
        numbers = np.empty(len(inputs), dtype=np.int64)
        for position, sample in enumerate(inputs):
            numbers[position] = seen.setdefault(_digest(sample), len(seen))
        numbered.append(numbers)
    return tuple(numbered)


def _digest(sample: object) -> bytes:
    array = np.asarray(sample)
    if array.dtype.kind in "OU":
        return hashlib.blake2b(repr(array.tolist()).encode(), digest_size=16).digest()
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array + 0.0).astype(array.dtype)
    shape = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.blake2b(shape + np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def repeated(number: Int64[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
    """Which samples have an equal."""
    _, place, count = np.unique(number, return_inverse=True, return_counts=True)
    return np.asarray(count[place] > 1)


def exact_pairs(number: Int64[np.ndarray, " samples"]) -> Int64[np.ndarray, "pairs 2"]:
    """Each repeated sample with the first of its equals: a star, for all pairs of a large group are too many."""
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    own = np.arange(len(number))
    later = own[first[place] != own]
    return np.stack([first[place][later], later], axis=1).astype(np.int64)
