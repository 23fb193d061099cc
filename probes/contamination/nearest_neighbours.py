"""Nearest-neighbour search in blocks, with bounded memory: over every pair up to `EXACT` samples, and beyond that over
each sample and the cells nearest to it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Int64

from probes.large_arrays import empty, parts

BLOCK = 2048
"""Rows and columns of similarities held at once: 16 MB."""
TILE = 512
"""Rows and columns where every pair is compared: 1 MB, which stays in the processor's cache."""
EXACT = 10_000
"""Largest number of samples for which every pair is compared."""
SIZE = 96
"""Samples of a cell, on average."""
GROUPS, PROBED = 10, 10
"""Groups of centres that each sample is compared with, and cells."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Close:
    """Pairs one < other with their similarity, in ascending order of (one, other); `backwards` where the query was the
    other one."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    similarity: Float32[np.ndarray, " pairs"]
    backwards: Bool[np.ndarray, " pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Centres:
    """Samples that stand for cells, in groups: group g, of the centres nearest to `leaders[g]`, has those from
    `start[g]` to `start[g + 1]`. All are rows of the index."""

    leaders: Int64[np.ndarray, " groups"]
    centres: Int64[np.ndarray, " cells"]
    start: Int64[np.ndarray, " ends"]

    def nearest(
        self, queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"]
    ) -> Int32[np.ndarray, "samples probed"]:
        """The `PROBED` nearest centres in the `GROUPS` groups nearest to each query, the nearest first."""
        groups = min(GROUPS, len(self.leaders))
        led = _most_similar(queries, index[self.leaders], groups)
        order, ends = _by_number(led, len(self.leaders))
        centres = index[self.centres]
        best = np.full((len(queries), PROBED), -np.inf, dtype=np.float32)
        found = np.zeros((len(queries), PROBED), dtype=np.int32)
        for group, (first, last) in enumerate(itertools.pairwise(self.start.tolist())):
            asking = order[ends[group] : ends[group + 1]] // groups
            places = np.concatenate([np.zeros(PROBED, dtype=np.int32), np.arange(first, last, dtype=np.int32)])
            for top in range(0, len(asking), BLOCK):
                rows = asking[top : top + BLOCK]
                near = np.concatenate([best[rows], queries[rows] @ centres[first:last].T], axis=1)
                chosen = _maxima(near.copy(), PROBED)
                best[rows] = np.take_along_axis(near, chosen, axis=1)
                before = np.take_along_axis(found[rows], np.minimum(chosen, PROBED - 1), axis=1)
                found[rows] = np.where(chosen < PROBED, before, places[chosen])
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Samples by the nearest centre: an inverted file with a coarse quantizer of two levels (Jégou, Douze & Schmid
    2011). `members` lists the samples of cell c from `start[c]` to `start[c + 1]`; `probed` are the cells that each
    sample is compared with, the nearest first. A pair is found if either of its samples is compared with the other's
    cell."""

    centres: Centres
    members: Int64[np.ndarray, " samples"]
    start: Int64[np.ndarray, " ends"]
    probed: Int32[np.ndarray, "samples probed"]

    def asked_by(
        self, queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"]
    ) -> Cells:
        """The same cells for other queries: the samples under a transformation."""
        return dataclasses.replace(self, probed=self.centres.nearest(queries, index))


def cells(
    queries: Float32[np.ndarray, "samples features"],
    index: Float32[np.ndarray, "samples features"],
    rng: np.random.Generator,
) -> Cells | None:
    """Cells of about `SIZE` samples, whatever their number; None up to `EXACT` samples, where every pair is
    compared."""
    n = len(index)
    if n <= EXACT:
        return None
    chosen = rng.choice(n, n // SIZE, replace=False).astype(np.int64)
    # So many that the products with leaders and with the centres of the groups cost about the same.
    leaders = chosen[: round((GROUPS * len(chosen)) ** 0.5)]
    order, ends = _by_number(_most_similar(queries[chosen], index[leaders], 1), len(leaders))
    centres = Centres(leaders=leaders, centres=chosen[order], start=ends)
    probed = centres.nearest(queries, index)
    members, start = _by_number(probed[:, :1], len(chosen))
    return Cells(centres=centres, members=members, start=start, probed=probed)


def _by_number(
    numbers: Int32[np.ndarray, "samples each"], count: int
) -> tuple[Int64[np.ndarray, " places"], Int64[np.ndarray, " ends"]]:
    """Places of the flattened numbers below `count` in ascending order of the number, and where each number begins."""
    narrow = numbers.reshape(-1).astype(np.min_scalar_type(count))  # 16 bits are sorted in linear time
    ends = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(np.bincount(narrow, minlength=count), out=ends[1:])
    return np.argsort(narrow, kind="stable").astype(np.int64, copy=False), ends


def _most_similar(
    queries: Float32[np.ndarray, "samples features"], others: Float32[np.ndarray, "others features"], count: int
) -> Int32[np.ndarray, "samples count"]:
    found = np.empty((len(queries), count), dtype=np.int32)
    for top in range(0, len(queries), BLOCK):
        found[top : top + BLOCK] = _maxima(queries[top : top + BLOCK] @ others.T, count)
    return found


def _maxima(similarity: Float32[np.ndarray, "rows columns"], count: int) -> Int32[np.ndarray, "rows count"]:
    """The columns of the largest entries, which are overwritten: a few maxima are several times faster than a
    partition."""
    rows, found = np.arange(len(similarity)), np.empty((len(similarity), count), dtype=np.int32)
    for place in range(count):
        found[:, place] = best = similarity.argmax(axis=1)
        similarity[rows, best] = -np.inf
    return found


def unit(
    vectors: Float[np.ndarray, "samples features"], centre: Float[np.ndarray, " features"] | None = None
) -> Float32[np.ndarray, "samples features"]:
    """Rows scaled to unit length, from the `centre` if there is one; a row of zeros stays zero, and is similar to
    nothing."""
    found = empty(vectors.shape, np.float32)
    for part in parts(*vectors.shape):
        some = vectors[part] if centre is None else vectors[part] - centre
        length = np.linalg.norm(some, axis=1, keepdims=True)
        found[part] = np.where(length > 1e-12, some / np.maximum(length, 1e-12), 0.0)
    return found


def pairs_above(
    queries: Float32[np.ndarray, "samples features"],
    index: Float32[np.ndarray, "samples features"],
    threshold: float,
    most: int = 5,
    among: Cells | None = None,
    floor: Float32[np.ndarray, "2 samples"] | None = None,
) -> Close:
    """All pairs i < j with queries[i] · index[j] >= threshold; but for a sample with many, only those that are among
    the `most` best of either side. With `among`, one of them lies in one of the `PROBED` cells nearest to the other:
    time grows little faster than n, and a pair that is not much nearer than others may be missed. In cells that are
    asked by a transformation, either sample of a pair may be the transformed one.

    `index` is `queries`, or the same samples under a transformation whose similarity is symmetric (for example
    flipped), so half of the products suffice. The cap keeps look-alikes (digits, or degenerate features) from filling
    the memory; a sample with a hundred copies is still among the best of each of them. With `floor`, pairs below both
    of their samples' floors are left out: the first sample's in the first row, the second one's in the second.
    """
    least = np.full((2, len(index)), threshold, dtype=np.float32) if floor is None else np.maximum(floor, threshold)
    blocks = _all_pairs(queries, index) if among is None else _in_cells(queries, index, among)
    found = []
    for rows, columns, similarity in blocks:
        i, j = _true(similarity >= min(least[:, rows].min(initial=np.inf), least[:, columns].min(initial=np.inf)))
        one, other, similar = np.minimum(rows[i], columns[j]), np.maximum(rows[i], columns[j]), similarity[i, j]
        enough = similar >= np.minimum(least[0, one], least[1, other])
        enough[enough] = _few(i[enough], j[enough], similar[enough], most)
        found.append((one[enough], other[enough], similar[enough], (rows[i] > columns[j])[enough]))
    one, other, similar, backwards = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((backwards, -similar, other, one))
    if among is not None:
        order = order[np.unique(one[order] * len(index) + other[order], return_index=True)[1]]
    order = order[_best(one[order], similar[order], most) | _best(other[order], similar[order], most)]
    return Close(one=one[order], other=other[order], similarity=similar[order], backwards=backwards[order])


Block = tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " columns"], Float32[np.ndarray, "rows columns"]]


def _all_pairs(
    queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"]
) -> Iterator[Block]:
    samples = np.arange(len(queries), dtype=np.int64)
    for top in range(0, len(queries), TILE):
        for left in range(top, len(queries), TILE):
            similarity = queries[top : top + TILE] @ index[left : left + TILE].T
            if left == top:
                similarity[np.tri(*similarity.shape, dtype=np.bool_)] = -np.inf
            yield samples[top : top + TILE], samples[left : left + TILE], similarity


def _in_cells(
    queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"], among: Cells
) -> Iterator[Block]:
    """A cell's samples, compared with the queries for which it is one of the nearest."""
    order, ends = _by_number(among.probed, len(among.start) - 1)
    for cell, (first, last) in enumerate(itertools.pairwise(among.start.tolist())):
        inside = among.members[first:last]
        asking = order[ends[cell] : ends[cell + 1]] // PROBED
        for top, left in itertools.product(range(0, len(asking), BLOCK), range(0, len(inside), BLOCK)):
            rows, columns = asking[top : top + BLOCK], inside[left : left + BLOCK]
            similarity = queries[rows] @ index[columns].T
            own = np.minimum(np.searchsorted(columns, rows), len(columns) - 1)
            here = np.flatnonzero(columns[own] == rows)
            similarity[here, own[here]] = -np.inf
            yield rows, columns, similarity


def _few(
    i: Int64[np.ndarray, " hits"], j: Int64[np.ndarray, " hits"], similarity: Float32[np.ndarray, " hits"], most: int
) -> Bool[np.ndarray, " hits"]:
    """Which hits of a block are among the `most` best of their row or column."""
    if len(i) <= most:
        return np.ones(len(i), dtype=bool)
    return np.asarray(_best(i, similarity, most) | _best(j, similarity, most))


def _true(
    mask: Bool[np.ndarray, "rows columns"],
) -> tuple[Int64[np.ndarray, " hits"], Int64[np.ndarray, " hits"]]:
    """As `np.nonzero`, which is slow where there is little: eight places at a time first."""
    flat = mask.reshape(-1)
    whole = len(flat) // 8 * 8
    words = np.flatnonzero(flat[:whole].view(np.uint64))
    places = (words[:, None] * 8 + np.arange(8)).reshape(-1)
    places = np.concatenate([places[flat[places]], whole + np.flatnonzero(flat[whole:])])
    return places // mask.shape[1], places % mask.shape[1]


def _best(
    sample: Int64[np.ndarray, " hits"], similarity: Float32[np.ndarray, " hits"], most: int
) -> Bool[np.ndarray, " hits"]:
    """Which hits are among the `most` best of their sample."""
    order = np.lexsort((-similarity, sample))
    ranked = sample[order]
    kept = np.empty(len(sample), dtype=bool)
    kept[order] = np.arange(len(sample)) - np.searchsorted(ranked, ranked) < most
    return kept


def nearest(
    queries: Float32[np.ndarray, "queries features"],
    index: Float32[np.ndarray, "samples features"],
    own: Int64[np.ndarray, " queries"],
    k: int = 1,
) -> tuple[Int64[np.ndarray, "queries k"], Float32[np.ndarray, "queries k"]]:
    """The k most similar samples of each query, best first, without the query itself (its place in the index is `own`;
    −1 where it has none). Needs more than k samples."""
    n, k = len(index), min(k, len(index) - 1)
    best = np.full((len(queries), 0), 0, dtype=np.int64)
    score = np.zeros((len(queries), 0), dtype=np.float32)
    for left in range(0, n, BLOCK):
        similarity = queries @ index[left : left + BLOCK].T
        inside = np.flatnonzero((own >= left) & (own < left + similarity.shape[1]))
        similarity[inside, own[inside] - left] = -np.inf
        width = similarity.shape[1]
        few = (
            similarity.argmax(axis=1)[:, None]
            if k == 1
            else np.argpartition(similarity, max(0, width - k), axis=1)[:, -k:]
        )
        score = np.concatenate([score, np.take_along_axis(similarity, few, axis=1)], axis=1)
        best = np.concatenate([best, few + left], axis=1)
        chosen = np.lexsort((best, -score), axis=1)[:, :k]
        score, best = np.take_along_axis(score, chosen, axis=1), np.take_along_axis(best, chosen, axis=1)
    return best, score
