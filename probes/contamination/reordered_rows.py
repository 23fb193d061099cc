"""Rows of a table that hold the same values in another order: columns that were exported in another order."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32, Float64, Int64, Shaped, UInt64

from probes.contamination.edited_rows import FALSE_PAIRS, LARGEST
from probes.contamination.minhash import mixed
from probes.contamination.repeated_keys import repeated_places
from probes.large_arrays import parts

FEWEST = 3
"""The fewest columns of a table in which such rows are sought."""


def reordered_rows(table: Shaped[np.ndarray, "samples features"]) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs of rows with the same values in any columns, if these are too rare for chance: by the shares of the rows
    that hold each value, as if values were independent, no such pair is expected in the whole table.

    >>> table = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    >>> table[40] = table[3, ::-1]
    >>> reordered_rows(table).tolist()
    [[3, 40]]
    """
    none = np.zeros((0, 2), dtype=np.int64)
    if table.size > LARGEST or table.shape[1] < FEWEST:
        return none
    digest = np.concatenate([_hashed(plain(table[part])).sum(axis=1) for part in parts(*table.shape)])
    several = repeated_places(digest)
    if not len(several):
        return none
    needed = 2 * math.log2(len(table)) - 1 - math.log2(FALSE_PAIRS)
    order = several[bits_of(plain(table), plain(table[several])) >= needed]
    first = order[np.searchsorted(digest[order], digest[order])]
    pairs = np.sort(np.stack([first, order], axis=1), axis=1)
    return np.asarray(pairs[pairs[:, 0] < pairs[:, 1]], dtype=np.int64)


def plain(rows: Shaped[np.ndarray, "some features"]) -> Float32[np.ndarray, "some features"]:
    """With one zero and one missing number."""
    wide = rows.astype(np.float32) + np.float32(0)
    return np.where(np.isnan(wide), np.float32(np.nan), wide)


def _hashed(rows: Float32[np.ndarray, "some features"]) -> UInt64[np.ndarray, "some features"]:
    """Hashes of the values, so that sums of them do not agree by chance."""
    return mixed(np.ascontiguousarray(rows).view(np.uint32).astype(np.uint64))


def bits_of(
    table: Float32[np.ndarray, "samples features"], some: Float32[np.ndarray, "some features"]
) -> Float64[np.ndarray, " some"]:
    """For each of these rows, minus the sum over its different values of the logarithm to base 2 of the share of all
    rows that hold the value in any column."""
    values, place = np.unique(some, return_inverse=True)
    place = np.sort(place.reshape(some.shape), axis=1)
    holding = np.zeros(len(values))
    for part in parts(*table.shape):
        found = np.minimum(np.searchsorted(values, table[part]), len(values) - 1)
        known = (values[found] == table[part]) | (np.isnan(values[found]) & np.isnan(table[part]))
        # A value is counted once a row.
        key = np.sort((np.arange(len(found))[:, None] * len(values) + found)[known])
        different = np.diff(key, prepend=-1) > 0
        holding += np.bincount(key[different] % len(values), minlength=len(values))
    different = np.diff(place, axis=1, prepend=-1) > 0
    return np.asarray((-np.log2(holding / len(table))[place] * different).sum(axis=1))
