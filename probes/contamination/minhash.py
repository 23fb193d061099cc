"""Pairs of sets that may be alike: MinHash (Broder 1997) in bands (Indyk & Motwani 1998)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64, UInt32, UInt64

from probes.contamination.repeated_keys import repeated_places, run_lengths
from probes.large_arrays import empty, parts

BANDS, ROWS = 25, 5
"""Two sets of Jaccard similarity J agree in one of the bands with probability 1 − (1 − J⁵)²⁵: .99995 for .8, .87 for
.6, .23 for .4."""
RUN = 16
"""Sets that agree in a band are all compared with one another up to this number; of more, each with one of them, drawn
anew in each band."""


def mixed(numbers: UInt64[np.ndarray, "*axes"]) -> UInt64[np.ndarray, "*axes"]:
    """A hash of each number (the finaliser of SplitMix64)."""
    found = numbers + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(found ^ (found >> np.uint64(31)))


def candidates(
    elements: UInt64[np.ndarray, " elements"],
    start: Int64[np.ndarray, " ends"],
    between: int = 0,
) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs of sets that agree in a band; set i has the elements from `start[i]` to `start[i + 1]`, which are hashes,
    at least one. With `between`, only pairs of one of the first `between` sets with one of the others.

    >>> elements = mixed(np.array([1, 2, 3, 4, 1, 2, 3, 4, 5, 6], dtype=np.uint64))
    >>> candidates(elements, np.array([0, 4, 8, 10])).tolist()
    [[0, 1]]
    """
    rng = np.random.default_rng(0)
    sets = len(start) - 1
    found = np.zeros((0, 2), dtype=np.int64)
    for digest in _bands(elements, start, rng):
        pairs = np.concatenate(list(_in_runs(digest, between, rng)))
        key = np.unique(np.concatenate([found, pairs]) @ np.array([sets, 1]))
        found = np.stack([key // sets, key % sets], axis=1)
    return found


def _bands(
    elements: UInt64[np.ndarray, " elements"], start: Int64[np.ndarray, " ends"], rng: np.random.Generator
) -> Iterator[UInt64[np.ndarray, " sets"]]:
    """For each band, a digest of the least hash of each set under `ROWS` hash functions."""
    sets = len(start) - 1
    for _ in range(BANDS):
        # The high half of a product with an odd number is a hash (Dietzfelbinger et al. 1997).
        factors = rng.integers(2**63, size=ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        digest = empty((sets,), np.uint64)
        for part in parts(sets, ROWS * max(1, len(elements) // sets)):
            first, last = start[part.start], start[part.stop]
            ends = start[part] - first
            own = np.zeros(part.stop - part.start, dtype=np.uint64)
            for factor in factors:
                own = mixed(own + np.minimum.reduceat(_high(elements[first:last] * factor), ends))
            digest[part] = own
        yield digest


def _high(products: UInt64[np.ndarray, " some"]) -> UInt32[np.ndarray, " some"]:
    return np.asarray((products >> np.uint64(32)).astype(np.uint32))


def _in_runs(
    digest: UInt64[np.ndarray, " sets"], between: int, rng: np.random.Generator
) -> Iterator[Int64[np.ndarray, "pairs 2"]]:
    """Pairs one < other of sets with equal digests."""
    order = repeated_places(digest)
    ranked = digest[order]
    begin, size = np.searchsorted(ranked, ranked), run_lengths(ranked)
    for apart in range(1, min(RUN, len(order))):
        same = (ranked[apart:] == ranked[:-apart]) & (size[apart:] <= RUN)
        yield _across(order[:-apart][same], order[apart:][same], between)
    long = np.flatnonzero(size > RUN)
    # Equal digests are in the order of the sets, those of the first side before the others.
    drawn = size[long]
    if between:
        before = np.concatenate([[0], np.cumsum(order < between)])
        drawn = before[begin[long] + size[long]] - before[begin[long]]
        long, drawn = long[drawn > 0], drawn[drawn > 0]
    yield _across(order[begin[long] + (rng.random(len(long)) * drawn).astype(np.int64)], order[long], between)


def _across(
    one: Int64[np.ndarray, " pairs"], other: Int64[np.ndarray, " pairs"], between: int
) -> Int64[np.ndarray, "kept 2"]:
    pairs = np.sort(np.stack([one, other], axis=1), axis=1)
    wanted = (pairs[:, 0] < between) & (pairs[:, 1] >= between) if between else pairs[:, 0] < pairs[:, 1]
    return np.asarray(pairs[wanted], dtype=np.int64)
