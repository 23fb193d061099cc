"""Nearest-neighbour search in blocks, with bounded memory: over every pair up to `EXACT` samples, and beyond that over
each sample and the cells nearest to it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from probes.large_arrays import empty, parts

BLOCK = 2048
"""Rows and columns of similarities held at once: 16 MB."""
EXACT = 10_000
"""Largest number of samples for which every pair is compared."""
PROBED = 3
"""Cells that each sample is compared with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Close:
    """Pairs one < other with their similarity, in ascending order of (one, other)."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    similarity: Float32[np.ndarray, " pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Samples by the nearest of some centres, which are samples themselves: an inverted file (Jégou, Douze & Schmid
    2011). `members` lists the samples of cell c from `start[c]` to `start[c + 1]`; `probed` are the cells that each
    sample is compared with, the nearest first."""

    centres: Int64[np.ndarray, " cells"]
    members: Int64[np.ndarray, " samples"]
    start: Int64[np.ndarray, " ends"]
    probed: Int64[np.ndarray, "samples probed"]

    def asked_by(
        self, queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"]
    ) -> Cells:
        """The same cells for other queries: the samples under a transformation."""
        return dataclasses.replace(self, probed=_probed(queries, index[self.centres]))


def cells(
    queries: Float32[np.ndarray, "samples features"],
    index: Float32[np.ndarray, "samples features"],
    rng: np.random.Generator,
) -> Cells | None:
    """About √(2n) cells, for which the products with centres and within cells cost about the same; None up to `EXACT`
    samples, where every pair is compared."""
    n = len(index)
    if n <= EXACT:
        return None
    centres = np.sort(rng.choice(n, round((2 * n) ** 0.5), replace=False)).astype(np.int64)
    probed = _probed(queries, index[centres])
    members = np.argsort(probed[:, 0], kind="stable").astype(np.int64)
    start = np.searchsorted(probed[members, 0], np.arange(len(centres) + 1)).astype(np.int64)
    return Cells(centres=centres, members=members, start=start, probed=probed)


def _probed(
    queries: Float32[np.ndarray, "samples features"], centres: Float32[np.ndarray, "cells features"]
) -> Int64[np.ndarray, "samples probed"]:
    found = np.empty((len(queries), PROBED), dtype=np.int64)
    for top in range(0, len(queries), BLOCK):
        near = queries[top : top + BLOCK] @ centres.T
        rows = np.arange(len(near))
        # A few maxima are several times faster than a partition.
        for place in range(PROBED):
            found[top : top + BLOCK, place] = best = near.argmax(axis=1)
            near[rows, best] = -np.inf
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
) -> Close:
    """All pairs i < j with queries[i] · index[j] >= threshold; but for a sample with many, only those that are among
    the `most` best of either side. With `among`, j lies in one of the `PROBED` cells nearest to i: time grows with
    n^1.5, and a pair that is not much nearer than others may be missed.

    `index` is `queries`, or the same samples under a transformation whose similarity is symmetric (for example
    flipped), so half of the products suffice. The cap keeps look-alikes (digits, or degenerate features) from filling
    the memory; a sample with a hundred copies is still among the best of each of them.
    """
    blocks = _all_pairs(queries, index) if among is None else _in_cells(queries, index, among)
    found: list[tuple[Int64[np.ndarray, " hits"], Int64[np.ndarray, " hits"], Float32[np.ndarray, " hits"]]] = []
    for rows, columns, similarity in blocks:
        i, j = _hits(similarity, threshold, most)
        found.append((rows[i], columns[j], similarity[i, j]))
    one, other, similar = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = _best(one, similar, most) | _best(other, similar, most)
    one, other, similar = one[kept], other[kept], similar[kept]
    order = np.lexsort((other, one))
    return Close(one=one[order], other=other[order], similarity=similar[order])


Block = tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " columns"], Float32[np.ndarray, "rows columns"]]


def _all_pairs(
    queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"]
) -> Iterator[Block]:
    samples = np.arange(len(queries), dtype=np.int64)
    for top in range(0, len(queries), BLOCK):
        for left in range(top, len(queries), BLOCK):
            similarity = queries[top : top + BLOCK] @ index[left : left + BLOCK].T
            if left == top:
                similarity[np.tri(*similarity.shape, dtype=np.bool_)] = -np.inf
            yield samples[top : top + BLOCK], samples[left : left + BLOCK], similarity


def _in_cells(
    queries: Float32[np.ndarray, "samples features"], index: Float32[np.ndarray, "samples features"], among: Cells
) -> Iterator[Block]:
    """A cell's samples, compared with the queries for which it is one of the nearest."""
    order = np.argsort(among.probed, axis=None, kind="stable")
    ends = np.searchsorted(among.probed.reshape(-1)[order], np.arange(len(among.centres) + 1))
    for cell in range(len(among.centres)):
        inside = np.sort(among.members[among.start[cell] : among.start[cell + 1]])
        asking = (order[ends[cell] : ends[cell + 1]] // PROBED).astype(np.int64)
        for top, left in itertools.product(range(0, len(asking), BLOCK), range(0, len(inside), BLOCK)):
            rows, columns = asking[top : top + BLOCK], inside[left : left + BLOCK]
            similarity = queries[rows] @ index[columns].T
            similarity[rows[:, None] >= columns] = -np.inf
            yield rows, columns, similarity


def _hits(
    similarity: Float32[np.ndarray, "rows columns"], threshold: float, most: int
) -> tuple[Int64[np.ndarray, " hits"], Int64[np.ndarray, " hits"]]:
    i, j = np.nonzero(similarity >= threshold)
    rows = np.bincount(i, minlength=similarity.shape[0]) > most
    columns = np.bincount(j, minlength=similarity.shape[1]) > most
    if not (rows.any() and columns.any()):
        return i, j
    best = np.zeros(similarity.shape, dtype=bool)
    for crowded, scores, chosen in ((rows, similarity, best), (columns, similarity.T, best.T)):
        own = np.flatnonzero(crowded)[:, None]
        chosen[own, np.argpartition(-scores[crowded], most - 1, axis=1)[:, :most]] = True
    kept = ~rows[i] | ~columns[j] | best[i, j]
    return i[kept], j[kept]


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
        few = np.argpartition(similarity, max(0, width - k), axis=1)[:, -k:]
        score = np.concatenate([score, np.take_along_axis(similarity, few, axis=1)], axis=1)
        best = np.concatenate([best, few + left], axis=1)
        chosen = np.lexsort((best, -score), axis=1)[:, :k]
        score, best = np.take_along_axis(score, chosen, axis=1), np.take_along_axis(best, chosen, axis=1)
    return best, score
