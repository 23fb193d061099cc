"""Exact duplicates, by content hash. A plain hash of a record reveals who is a member, so no hash leaves this
package."""

from __future__ import annotations

import hashlib

import numpy as np
from jaxtyping import Bool, Int64, Shaped

SIZE = 16
"""Bytes of a digest."""


def content(inputs: Shaped[np.ndarray, "samples ..."]) -> Int64[np.ndarray, " samples"]:
    """Equal numbers for equal samples: −0 is 0, and NaN is NaN. Two samples are never equal by chance (BLAKE2b).

    inputs  the samples, of any type

    Returns a number for each sample.

    >>> found = content(np.array([[1.0, 0.0], [2.0, 0.0], [1.0, -0.0]]))
    >>> bool(found[0] == found[2] != found[1])
    True
    """
    return together(inputs)[0]


def together(
    *parts: Shaped[np.ndarray, "..."],
) -> tuple[Int64[np.ndarray, " samples"], ...]:
    """`content` for several arrays of samples at once, so that equal samples of different arrays are equal too.

    parts  arrays of samples, of one shape a sample

    Returns a number for each sample, an array a part.

    >>> one, other = together(np.array([[1.0], [2.0]]), np.array([[2.0]]))
    >>> bool(one[1] == other[0])
    True
    """
    # As an array, because a dictionary takes ten times the memory of its digests.
    held = bytearray()
    for inputs in parts:
        for sample in inputs:
            held += _digest(sample)
    digests = np.frombuffer(held, dtype=f"V{SIZE}")
    _, first, place = np.unique(digests, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    ends = np.cumsum([len(inputs) for inputs in parts])
    return tuple(np.split(rank[place.reshape(-1)], ends[:-1]))


def _digest(sample: object) -> bytes:
    array = np.asarray(sample)
    if array.dtype.kind in "OU":
        return hashlib.blake2b(repr(array.tolist()).encode(), digest_size=SIZE).digest()
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.nan, array + 0.0).astype(array.dtype)
    shape = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.blake2b(shape + np.ascontiguousarray(array).tobytes(), digest_size=SIZE).digest()


def repeated(number: Int64[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
    """Which samples have an equal.

    number  of each sample, equal for equal samples, as `content` gives it

    Returns whether each sample has one.

    >>> repeated(np.array([5, 7, 5])).tolist()
    [True, False, True]
    """
    _, place, count = np.unique(number, return_inverse=True, return_counts=True)
    return np.asarray(count[place] > 1)


def exact_pairs(number: Int64[np.ndarray, " samples"]) -> Int64[np.ndarray, "pairs 2"]:
    """Each repeated sample paired with the first of its equals, because all pairs of a large group would be too many.

    number  of each sample, equal for equal samples, as `content` gives it

    Returns a pair of indices a row.

    >>> exact_pairs(np.array([5, 7, 5, 5])).tolist()
    [[0, 2], [0, 3]]
    """
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    own = np.arange(len(number))
    later = own[first[place] != own]
    return np.stack([first[place][later], later], axis=1).astype(np.int64)
