"""Rows of a table that are equal but for a few columns: a record that was corrected, re-rounded or updated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped, UInt64

from probes.contamination.minhash import mixed
from probes.contamination.repeated_keys import repeated_places, run_lengths
from probes.large_arrays import empty
from probes.measures.dummies import groups_of

FEWEST = 3
"""The fewest columns of a table in which such rows are sought."""
LARGEST = 2**28
"""The most cells that are looked at."""
FALSE_PAIRS = 2.0**-20
"""The expected number of pairs in the whole table that agree in as rare values by chance."""
EDITED, MOST = 4, 7
"""One column in so many may differ, and so many columns at most."""
RUN = 16
"""More rows than this that agree in a band of columns are not compared there: what they share is common."""
EDIT = 0.125
"""The probability that a column of a copy was edited, for the likelihood ratio."""
SAMPLE = 500
"""Rows whose pairs show how alike rows of this table are."""
UPPER, FEW, ABOVE = 0.05, 100, (0.001, 0.01)
"""The tail is measured from the highest twentieth of these pairs to the highest hundred, which are this share of them:
more pairs than are copies."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Column:
    """A hash of each value, and minus the logarithm to base 2 of its share of the rows."""

    value: UInt64[np.ndarray, " samples"]
    bits: Float64[np.ndarray, " samples"]


def edited_rows(table: Shaped[np.ndarray, "samples features"]) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs of rows that are equal in all columns but one, or but for a quarter of the columns (at most seven), and
    whose equal values are too rare for chance. The dummies of a word are one column.

    For one column, by the frequencies of values, as if columns were independent, no such pair is expected in the whole
    table. For several, by the likelihood ratio of an edited copy against independent columns (Markov's inequality), and
    because columns do depend on each other, none may be expected either if that ratio is extrapolated from the pairs of
    500 rows. Rows are compared where they agree in one of as many bands of columns as may be edited, and one more, with
    at most 15 others.

    >>> rng = np.random.default_rng(0)
    >>> table = rng.normal(size=(50, 12)).astype(np.float32)
    >>> table[40], table[41] = table[3], table[4]
    >>> table[40, 5] += 1
    >>> table[41, [2, 7]] += 1
    >>> edited_rows(table).tolist()
    [[3, 40], [4, 41]]
    """
    stretches = groups_of(table) if table.size <= LARGEST else []
    if len(stretches) < FEWEST:
        return np.zeros((0, 2), dtype=np.int64)
    rng = np.random.default_rng(0)
    value, bits = (empty((len(stretches), len(table)), kind) for kind in (np.uint64, np.float64))
    columns = [_Column(value=own, bits=rare) for own, rare in zip(value, bits, strict=True)]
    for column, (first, end) in zip(columns, stretches, strict=True):
        _code(table[:, first:end], rng.integers(2**64, dtype=np.uint64), into=column)
    digest, total = np.zeros(len(table), dtype=np.uint64), np.zeros(len(table))
    for column in columns:
        digest += column.value
        total += column.bits
    needed = 2 * math.log2(len(table)) - 1 - math.log2(FALSE_PAIRS)
    found = [_equal_but(digest - one.value, one.value, total - one.bits >= needed) for one in columns]
    found.append(_several(columns, needed, rng))
    return _different(np.concatenate(found))


def _code(stretch: Shaped[np.ndarray, "samples features"], salt: np.uint64, *, into: _Column) -> None:
    """Hashes of a column's values, or of which of several dummies is on, and how rare they are."""
    one = stretch[:, 0] if stretch.shape[1] == 1 else (stretch == stretch.max(axis=0)).argmax(axis=1)
    if one.dtype.kind == "f":
        # With one zero and one missing number.
        number = one.astype(np.float64) + 0.0
        number[np.isnan(number)] = np.nan
    else:
        number = one.astype(np.int64)
    into.value[:] = mixed(number.view(np.uint64) + salt)
    into.bits[:] = math.log2(len(one))
    places = repeated_places(into.value)
    into.bits[places] -= np.log2(run_lengths(into.value[places]))


def _different(pairs: Int64[np.ndarray, "pairs 2"]) -> Int64[np.ndarray, "different 2"]:
    """Each pair once, in ascending order."""
    most = int(pairs.max(initial=0)) + 1
    return np.stack(np.divmod(np.unique(pairs @ np.array([most, 1])), most), axis=1)


def _several(columns: Sequence[_Column], needed: float, rng: np.random.Generator) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs that differ in a few columns, by their likelihood ratio."""
    most = min(len(columns) // EDITED, MOST)
    if most < 2:
        return np.zeros((0, 2), dtype=np.int64)
    # One of them is as it was.
    bands = _dealt([float(one.bits.mean()) for one in columns], most + 1)
    digests = [np.stack([columns[i].value for i in band]).sum(axis=0) for band in bands]
    pairs = _different(np.concatenate([_in_short_runs(digest) for digest in digests]))
    ratio, edits = _compared(columns, pairs)
    alike = (edits <= most) & (ratio >= needed)
    return pairs[alike & (ratio >= _by_sample(columns, needed, rng))] if alike.any() else pairs[alike]


def _by_sample(columns: Sequence[_Column], needed: float, rng: np.random.Generator) -> float:
    """The logarithm of the likelihood ratio above which no pair is expected, if the logarithms of all pairs have an
    exponential tail, as those of some rows have."""
    some = np.sort(rng.permutation(len(columns[0].bits))[:SAMPLE])
    ratio, _ = _compared(columns, some[np.stack(np.triu_indices(len(some), 1), axis=1)])
    above = float(np.clip(FEW / len(ratio), *ABOVE))
    upper, top = np.quantile(ratio, [1 - UPPER, 1 - above])
    fall = min(1.0, math.log2(UPPER / above) / max(float(top - upper), 1e-9))
    return float(top + (needed + math.log2(above)) / fall)


def _dealt(size: Sequence[float], bands: int) -> list[list[int]]:
    """Columns in bands that tell about equally much."""
    found: list[list[int]] = [[] for _ in range(bands)]
    total = np.zeros(bands)
    for column in np.argsort(-np.array(size), kind="stable").tolist():
        least = int(total.argmin())
        found[least].append(column)
        total[least] += size[column]
    return [band for band in found if band]


def _in_short_runs(digest: UInt64[np.ndarray, " samples"]) -> Int64[np.ndarray, "pairs 2"]:
    """All pairs of equal digests, except those of more than `RUN` rows."""
    order = repeated_places(digest)
    ranked = digest[order]
    short = run_lengths(ranked) <= RUN
    found = [np.zeros((0, 2), dtype=np.int64)]
    for apart in range(1, min(RUN, len(order))):
        same = (ranked[apart:] == ranked[:-apart]) & short[apart:]
        found.append(np.stack([order[:-apart][same], order[apart:][same]], axis=1))
    return np.asarray(np.sort(np.concatenate(found), axis=1), dtype=np.int64)


def _compared(
    columns: Sequence[_Column], pairs: Int64[np.ndarray, "pairs 2"]
) -> tuple[Float64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """The logarithm to base 2 of the likelihood ratio of a copy whose columns are edited with probability `EDIT`, and
    in how many columns both differ."""
    one, other = pairs.T
    ratio, edits = np.zeros(len(pairs)), np.zeros(len(pairs), dtype=np.int64)
    for column in columns:
        same = column.value[one] == column.value[other]
        ratio += np.log2(np.where(same, (1 - EDIT) * 2 ** column.bits[one], 0.0) + EDIT)
        edits += ~same
    return ratio, edits


def _equal_but(
    rest: UInt64[np.ndarray, " samples"], own: UInt64[np.ndarray, " samples"], rare: Bool[np.ndarray, " samples"]
) -> Int64[np.ndarray, "pairs 2"]:
    """Neighbours among rows with an equal rest; of several, the first with each of the others."""
    some = np.flatnonzero(rare)
    order = some[repeated_places(rest[some])]
    ranked = rest[order]
    first = order[np.searchsorted(ranked, ranked)]
    pairs = np.stack([first, order], axis=1)
    return np.asarray(np.sort(pairs[own[first] != own[order]], axis=1), dtype=np.int64)
