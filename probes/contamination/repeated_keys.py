"""Which of many keys stand more than once."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64, UInt64


def repeated_places(keys: UInt64[np.ndarray, " samples"]) -> Int64[np.ndarray, " repeated"]:
    """The places of keys that stand more than once, by key, and those of one key in ascending order.

    keys  hashes: where few agree in their high bits, time hardly grows faster than their number

    Returns their places.

    >>> repeated_places(np.array([7, 5, 7, 9, 5, 7], dtype=np.uint64)).tolist()
    [1, 4, 0, 2, 5]
    """
    # The high bits of a key with its place in the low ones: numpy sorts numbers several times as fast as it finds
    # their order.
    low = np.uint64(max(1, len(keys) - 1).bit_length())
    packed = keys >> low << low
    packed |= np.arange(len(keys), dtype=np.uint64)
    packed.sort()
    several = _beside_an_equal(packed >> low)
    places = (packed[several] & ((np.uint64(1) << low) - np.uint64(1))).astype(np.int64)
    own = keys[places]
    order = np.argsort(own, kind="stable")
    return np.asarray(places[order][_beside_an_equal(own[order])])


def run_lengths(ranked: UInt64[np.ndarray, " samples"]) -> Int64[np.ndarray, " samples"]:
    """How often the key in each place of sorted keys stands there.

    ranked  keys in ascending order

    Returns a number a place.

    >>> run_lengths(np.array([5, 5, 7], dtype=np.uint64)).tolist()
    [2, 2, 1]
    """
    begin = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    count = np.diff(np.append(begin, len(ranked)))
    return np.repeat(count, count)


def _beside_an_equal(ranked: UInt64[np.ndarray, " samples"]) -> Bool[np.ndarray, " samples"]:
    same = ranked[1:] == ranked[:-1]
    found = np.zeros(len(ranked), dtype=bool)
    found[1:] |= same
    found[:-1] |= same
    return found
