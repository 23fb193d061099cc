"""Rows of a table that are equal but for one column: a record that was corrected, re-rounded or updated."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped, UInt64

from probes.measures.dummies import groups_of

FEWEST = 3
"""The fewest columns of a table in which such rows are sought."""
LARGEST = 2**28
"""The most cells that are looked at."""
FALSE_PAIRS = 2.0**-20
"""The expected number of pairs in the whole table that agree in as rare values by chance."""


def edited_rows(table: Shaped[np.ndarray, "samples features"]) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs of rows that are equal in all columns but one, and whose equal values are too rare for chance: by the
    frequencies of values, as if columns were independent, no such pair is expected in the whole table. The dummies of a
    word are one column.

    >>> rng = np.random.default_rng(0)
    >>> table = rng.normal(size=(50, 8)).astype(np.float32)
    >>> table[40] = table[3]
    >>> table[40, 5] += 1
    >>> edited_rows(table).tolist()
    [[3, 40]]
    """
    columns = groups_of(table) if table.size <= LARGEST else []
    if len(columns) < FEWEST:
        return np.zeros((0, 2), dtype=np.int64)
    rng = np.random.default_rng(0)
    digest, bits = np.zeros(len(table), dtype=np.uint64), np.zeros(len(table))
    each: list[tuple[UInt64[np.ndarray, " samples"], Float64[np.ndarray, " samples"]]] = []
    for first, end in columns:
        _, code, count = np.unique(table[:, first:end], axis=0, return_inverse=True, return_counts=True)
        code = code.reshape(-1)
        own = rng.integers(2**64, size=len(count), dtype=np.uint64)[code]
        each.append((own, -np.log2(count / len(table))[code]))
        digest, bits = digest + own, bits + each[-1][1]
    needed = 2 * math.log2(len(table)) - 1 - math.log2(FALSE_PAIRS)
    found = [_equal_but(digest - own, own, bits - mine >= needed) for own, mine in each]
    return np.unique(np.concatenate(found), axis=0).reshape(-1, 2)


def _equal_but(
    rest: UInt64[np.ndarray, " samples"], own: UInt64[np.ndarray, " samples"], rare: Bool[np.ndarray, " samples"]
) -> Int64[np.ndarray, "pairs 2"]:
    """Neighbours among rows with an equal rest; of several, the first with each of the others."""
    some = np.flatnonzero(rare)
    order = some[np.argsort(rest[some], kind="stable")]
    ranked = rest[order]
    first = order[np.searchsorted(ranked, ranked)]
    pairs = np.stack([first, order], axis=1)
    return np.asarray(np.sort(pairs[own[first] != own[order]], axis=1), dtype=np.int64)
