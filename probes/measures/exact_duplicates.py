"""Exact duplicates, by content hash. A plain hash of a record reveals who is a member, so no hash leaves this
package."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from probes.large_arrays import parts

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
    *arrays: Shaped[np.ndarray, "..."],
) -> tuple[Int64[np.ndarray, " samples"], ...]:
    """`content` for several arrays of samples at once, so that equal samples of different arrays are equal too.

    arrays  samples, of one shape a sample

    Returns a number for each sample, an array for each of `arrays`.

    >>> one, other = together(np.array([[1.0], [2.0]]), np.array([[2.0]]))
    >>> bool(one[1] == other[0])
    True
    """
    # As an array, because a dictionary takes ten times the memory of its digests.
    held = bytearray()
    for inputs in arrays:
        for digest in _digests(inputs):
            held += digest
    digests = np.frombuffer(held, dtype=f"V{SIZE}")
    _, first, place = np.unique(digests, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    ends = np.cumsum([len(inputs) for inputs in arrays])
    return tuple(np.split(rank[place.reshape(-1)], ends[:-1]))


def _digests(inputs: Shaped[np.ndarray, "samples ..."]) -> Iterator[bytes]:
    if inputs.dtype.kind in "OU":
        for sample in map(np.asarray, inputs):
            if sample.dtype.kind in "OU":
                yield hashlib.blake2b(repr(sample.tolist()).encode(), digest_size=SIZE).digest()
            else:
                yield from _digests(sample[None])
        return
    # Of all samples, and so computed once.
    begun = hashlib.blake2b(f"{inputs.dtype.str}{inputs.shape[1:]}".encode(), digest_size=SIZE)
    numbers = math.prod(inputs.shape[1:])
    size = numbers * inputs.itemsize
    for part in parts(len(inputs), numbers):
        some = inputs[part]
        if some.dtype.kind == "f":
            some = np.where(np.isnan(some), np.nan, some + 0.0).astype(some.dtype)
        held = memoryview(some.tobytes())
        for number in range(len(some)):
            digest = begun.copy()
            digest.update(held[number * size : (number + 1) * size])
            yield digest.digest()


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
