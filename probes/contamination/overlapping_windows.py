"""Rows of a table that hold the values of another row, shifted by some columns: windows of one series that overlap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt64

from probes.contamination.edited_rows import FALSE_PAIRS, LARGEST
from probes.contamination.minhash import mixed
from probes.contamination.reordered_rows import bits_of, plain
from probes.contamination.repeated_keys import repeated_places, run_lengths
from probes.evidence import Evidence
from probes.large_arrays import empty, parts
from probes.partial_result import Part
from probes.result import Finding
from probes.statistics.proportions import proportion

FEWEST = 8
"""The fewest columns of a table in which such rows are sought."""
RUN = 4
"""Consecutive columns that are looked up together."""
LOOKED_UP = 16
"""Hash functions, for each of which a row's run of least hash is looked up (MinHash, Broder 1997): wide windows
that share a half of their columns are found with probability 1 − (2/3)¹⁶ = .998, a quarter with 1 − (6/7)¹⁶ = .92."""
SHARED = 0.25
"""The least share of its columns in which a row equals the shifted other one."""
DIFFERENT = 0.5
"""The least share of different values among those: a periodic signal equals itself, shifted, and other such signals."""
TOGETHER = 0.75
"""The least share of these columns after which the next one is equal, too: signals that nearly agree are equal here and
there, to the last digit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlaps:
    """Held-out rows, each with a member that holds its values `shift` columns further on (negative: further back)."""

    held_out: Int64[np.ndarray, " found"]
    member: Int64[np.ndarray, " found"]
    shift: Int64[np.ndarray, " found"]


def overlapping_part(evidence: Evidence, level: float) -> Part:
    """How many held-out rows overlap with a member.

    evidence  the audited model's samples and answers
    level     two-sided coverage of the interval, in (0, 1)

    Returns the section; an empty one where there is no such row.
    """
    inputs, held_out = evidence.inputs, evidence.pool.held_out
    if evidence.modality != "table" or inputs.dtype.kind not in "fiub":
        return Part()
    found = overlaps(inputs.reshape(len(inputs), -1), evidence.pool.member, held_out)
    count, n = len(found.held_out), int(held_out.sum())
    if not count:
        return Part()
    share = proportion("overlapping_share", count, n, level=level, better="lower")
    finding = Finding(
        code="contamination.overlapping-windows",
        severity="high" if count > 0.05 * n else "medium",
        because=(share.name,),
        samples=tuple(found.held_out[:100].tolist()),
        values={
            "count": count,
            "n": n,
            "share": share.value,
            "low": share.low,
            "high": share.high,
            "columns": round(float(np.median(np.abs(found.shift)))),
            "one": int(found.held_out[0]),
            "other": int(found.member[0]),
            "shift": abs(int(found.shift[0])),
        },
    )
    return Part(estimates=(share,), findings=(finding,))


def overlaps(
    table: Shaped[np.ndarray, "samples features"],
    member: Bool[np.ndarray, " samples"],
    held_out: Bool[np.ndarray, " samples"],
) -> Overlaps:
    """Held-out rows that equal a member shifted by one column or more, in a quarter of the columns at least, if these
    values, and also the steps from each to the next, are so rare that no such pair is expected in the table by chance,
    and most values are different. Of several members, that with which most values are shared. Several channels may
    stand one after another, or their values in turn.

    >>> series = np.random.default_rng(0).normal(size=200).astype(np.float32)
    >>> table = np.stack([series[first : first + 16] for first in range(0, 180, 6)])
    >>> found = overlaps(table, np.arange(30) < 29, np.arange(30) == 29)
    >>> found.held_out.tolist(), found.member.tolist(), found.shift.tolist()
    ([29], [28], [6])
    """
    rows, columns = table.shape
    pairs = np.zeros((0, 3), dtype=np.int64)
    if columns >= FEWEST and table.size <= LARGEST and member.any() and held_out.any():
        pairs = _candidates(table, member, held_out)
    needed = 2 * math.log2(max(rows, 2)) + math.log2(max(columns, 2)) - math.log2(FALSE_PAIRS)
    agreeing = _agreeing(table, pairs)
    shared = (~np.isnan(agreeing)).sum(axis=1)
    next_to_each_other = (~np.isnan(np.diff(agreeing, axis=1))).sum(axis=1)
    likely = (shared >= max(SHARED * columns, RUN)) & (next_to_each_other >= TOGETHER * shared)
    pairs, agreeing, shared = pairs[likely], agreeing[likely], shared[likely]
    different = np.array([len(np.unique(one[~np.isnan(one)])) for one in agreeing], dtype=np.int64)
    sound = different >= DIFFERENT * shared
    pairs, agreeing, shared = pairs[sound], agreeing[sound], shared[sound]
    if len(pairs):
        any_of_row = np.take_along_axis(agreeing, np.isnan(agreeing).argmin(axis=1)[:, None], axis=1)
        rare = bits_of(plain(table), np.where(np.isnan(agreeing), any_of_row, agreeing)) >= needed
        rare &= _bits_of_steps(table, agreeing) >= needed
        pairs, shared = pairs[rare], shared[rare]
    order = np.lexsort((pairs[:, 1], -shared, pairs[:, 0]))
    chosen = pairs[order[np.unique(pairs[order, 0], return_index=True)[1]]]
    return Overlaps(held_out=chosen[:, 0], member=chosen[:, 1], shift=chosen[:, 2])


def _candidates(
    table: Shaped[np.ndarray, "samples features"],
    member: Bool[np.ndarray, " samples"],
    held_out: Bool[np.ndarray, " samples"],
) -> Int64[np.ndarray, "pairs 3"]:
    """Held-out row, member, and shift, for pairs with the same run in different columns."""
    rng = np.random.default_rng(0)
    asked = np.concatenate([np.flatnonzero(member), np.flatnonzero(held_out)])
    members, found = int(member.sum()), [np.zeros((0, 3), dtype=np.int64)]
    digest, place = _least(table, asked, rng.integers(2**63, size=LOOKED_UP, dtype=np.uint64) * 2 + 1)
    for own, where in zip(digest, place, strict=True):
        # Members before held-out rows, where digests are equal.
        order = repeated_places(own)
        ranked = own[order]
        begin = np.searchsorted(ranked, ranked)
        before = np.concatenate([[0], np.cumsum(order < members)])
        known = before[begin + run_lengths(ranked)] - before[begin]
        mine = np.flatnonzero((order >= members) & (known > 0))
        other = order[begin[mine] + (rng.random(len(mine)) * known[mine]).astype(np.int64)]
        shift = where[other].astype(np.int64) - where[order[mine]]
        found.append(np.stack([asked[order[mine]], asked[other], shift], axis=1)[shift != 0])
    return np.unique(np.concatenate(found), axis=0)


def _least(
    table: Shaped[np.ndarray, "samples features"],
    asked: Int64[np.ndarray, " asked"],
    factors: UInt64[np.ndarray, " functions"],
) -> tuple[UInt64[np.ndarray, "functions asked"], Int64[np.ndarray, "functions asked"]]:
    """For each hash function, the least hash of a run of each row, and the column in which it begins."""
    runs = table.shape[1] - RUN + 1
    digest, place = (empty((len(factors), len(asked)), kind) for kind in (np.uint64, np.int64))
    for part in parts(len(asked), table.shape[1]):
        own = mixed(plain(table[asked[part]]).view(np.uint32).astype(np.uint64))
        hashed = np.zeros((len(own), runs), dtype=np.uint64)
        for step in range(RUN):
            hashed = mixed(hashed + own[:, step : step + runs])
        for number, factor in enumerate(factors):
            product = hashed * factor
            least = product.argmin(axis=1)
            digest[number, part], place[number, part] = product[np.arange(len(own)), least], least
    return digest, place


def _agreeing(
    table: Shaped[np.ndarray, "samples features"], pairs: Int64[np.ndarray, "pairs 3"]
) -> Float32[np.ndarray, "pairs features"]:
    """The values of held-out rows that are also the member's, shifted; NaN elsewhere."""
    found = empty((len(pairs), table.shape[1]), np.float32)
    column = np.arange(table.shape[1])
    for part in parts(len(pairs), table.shape[1]):
        own, other = (plain(table[pairs[part, side]]) for side in range(2))
        there = column + pairs[part, 2:]
        inside = (there >= 0) & (there < table.shape[1])
        shifted = np.take_along_axis(other, np.where(inside, there, 0), axis=1)
        found[part] = np.where(inside & (own == shifted), own, np.float32(np.nan))
    return found


def _bits_of_steps(
    table: Shaped[np.ndarray, "samples features"], agreeing: Float32[np.ndarray, "pairs features"]
) -> Float64[np.ndarray, " pairs"]:
    """Minus the sum, over the steps from one column to the next where both agree, of the logarithm to base 2 of the
    step's share of all steps: rows that only count up, or that go up or down by one, agree by chance."""
    own = np.diff(agreeing, axis=1)
    steps, place = np.unique(own, return_inverse=True)
    count = np.zeros(len(steps))
    for part in parts(*table.shape):
        seen = np.diff(plain(table[part]), axis=1)
        found = np.minimum(np.searchsorted(steps, seen), len(steps) - 1)
        count += np.bincount(found[steps[found] == seen], minlength=len(steps))
    total = len(table) * max(1, table.shape[1] - 1)
    each = np.where(np.isnan(steps), 0.0, -np.log2(np.maximum(count, 1) / total))
    return np.asarray(each[place.reshape(own.shape)].sum(axis=1))
