"""Exact nearest-neighbour search in blocks: every pair is looked at, and memory is bounded whatever the number of
samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

BLOCK = 2048
"""Rows and columns of similarities held at once: 16 MB."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Close:
    """Pairs one < other with their similarity, in ascending order of (one, other)."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    similarity: Float32[np.ndarray, " pairs"]


def unit(vectors: Float[np.ndarray, "samples features"]) -> Float32[np.ndarray, "samples features"]:
    """Rows of length one; a row of zeros stays zero, and is like nothing."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-12, vectors / np.maximum(length, 1e-12), 0.0), dtype=np.float32)


def pairs_above(
    queries: Float32[np.ndarray, "samples features"],
    index: Float32[np.ndarray, "samples features"],
    threshold: float,
    most: int = 5,
) -> Close:
    """All pairs i < j with queries[i] · index[j] >= threshold; but of a sample with many, only those that are among the
    `most` best of either side.

    `index` is `queries`, or the same samples under a transformation whose similarity is symmetric (flipped, say): so
    half of the products suffice. The cap keeps look-alikes (digits, or degenerate features) from filling the memory; a
    sample with a hundred copies still is the best of each of them.
    """
    n = len(queries)
    found: list[tuple[Int64[np.ndarray, " hits"], Int64[np.ndarray, " hits"], Float32[np.ndarray, " hits"]]] = []
    for top in range(0, n, BLOCK):
        rows = queries[top : top + BLOCK]
        for left in range(top, n, BLOCK):
            similarity = rows @ index[left : left + BLOCK].T
            if left == top:
                similarity[np.tril_indices(len(rows), m=similarity.shape[1])] = -np.inf
            i, j = _hits(similarity, threshold, most)
            found.append((i + top, j + left, similarity[i, j]))
    one, other, similar = (np.concatenate(parts) for parts in zip(*found, strict=True))
    kept = _best(one, similar, most) | _best(other, similar, most)
    one, other, similar = one[kept], other[kept], similar[kept]
    order = np.lexsort((other, one))
    return Close(one=one[order], other=other[order], similarity=similar[order])


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
