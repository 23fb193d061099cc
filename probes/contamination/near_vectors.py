"""Near duplicates of samples without pixels: rows of a table, and features of a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy
from jaxtyping import Float, Float32, Float64, Int64

from probes.contamination.distance_threshold import DISTANCE, FEWEST, too_close
from probes.contamination.near import Near, nothing, unmoved
from probes.contamination.nearest_neighbours import cells, nearest, pairs_above, unit
from probes.large_arrays import empty, parts

ROUNDING = 1e-6
"""Distance between equal features in float32."""
PROBES = 1000
"""Number of samples whose neighbours show how far apart unrelated samples are."""
UNUSUAL = 0.05
"""Share of neighbours in features that are close enough to be compared."""


def near_features(features: Float[np.ndarray, "samples features"], rng: np.random.Generator) -> Near:
    """For samples that are not images: pairs at a distance (1 − cosine) that neighbours do not have by chance."""
    if len(features) < 3:
        return nothing()
    vectors = unit(features, features.mean(axis=0))
    return _closest(vectors, vectors, vectors, lambda distance: 1 - distance, rng, surely=ROUNDING)


def near_rows(table: Float32[np.ndarray, "samples features"], rng: np.random.Generator) -> Near:
    """The same for rows of a table whose columns have a common scale, at half their squared Euclidean distance."""
    if len(table) < 3:
        return nothing()
    queries, index = as_products(table)
    return _closest(table, queries, index, lambda distance: -distance, rng)


def as_products(
    table: Float32[np.ndarray, "samples features"],
) -> tuple[Float32[np.ndarray, "samples searched"], Float32[np.ndarray, "samples searched"]]:
    """Queries and an index of which large products are small distances: (x, 1, −|x|²/2) · (y, −|y|²/2, 1) =
    −|x − y|²/2."""
    rows, columns = table.shape
    queries, index = (empty((rows, columns + 2), np.float32) for _ in range(2))
    for part in parts(rows, columns):
        half = (table[part].astype(np.float64) ** 2).sum(axis=1).astype(np.float32) / 2
        for side, (last, but_one) in ((queries, (-half, 1)), (index, (1, -half))):
            side[part, :columns], side[part, columns], side[part, columns + 1] = table[part], but_one, last
    return queries, index


def _closest(
    vectors: Float32[np.ndarray, "samples features"],
    queries: Float32[np.ndarray, "samples searched"],
    index: Float32[np.ndarray, "samples searched"],
    to_similarity: Callable[[float], float],
    rng: np.random.Generator,
    surely: float = 0.0,
) -> Near:
    """Pairs by their products in float32, then by |x − y|²/2 itself: for unit vectors, that is 1 − cosine."""

    def apart(i: Int64[np.ndarray, " pairs"], j: Int64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
        return np.asarray(((vectors[i].astype(np.float64) - vectors[j]) ** 2).sum(axis=1) / 2)

    own = np.sort(rng.permutation(len(queries))[:PROBES]).astype(np.int64)
    place, _ = nearest(queries[own], index, own)
    neighbours = apart(own, place[:, 0])
    among = cells(queries, index, rng)
    close = pairs_above(queries, index, to_similarity(_unusual(neighbours)), among=among)
    distance = apart(close.one, close.other)
    threshold = too_close(neighbours, distance, looks=len(queries), surely=surely, law=DISTANCE)
    copies = distance <= threshold
    pairs = int(copies.sum())
    return Near(
        one=close.one[copies],
        other=close.other[copies],
        distance=distance[copies],
        flipped=np.zeros(pairs, dtype=bool),
        matrix=unmoved(pairs),
        threshold=threshold,
        looked_at=len(close.one),
    )


def with_pairs(near: Near, pairs: Int64[np.ndarray, "more 2"], table: Float32[np.ndarray, "samples features"]) -> Near:
    """With further pairs of the table's rows, which were found otherwise."""
    known = set(zip(near.one.tolist(), near.other.tolist(), strict=True))
    more = np.array([pair for pair in pairs.tolist() if tuple(pair) not in known], dtype=np.int64).reshape(-1, 2)
    distance = ((table[more[:, 0]].astype(np.float64) - table[more[:, 1]]) ** 2).sum(axis=1) / 2
    return Near(
        one=np.concatenate([near.one, more[:, 0]]),
        other=np.concatenate([near.other, more[:, 1]]),
        distance=np.concatenate([near.distance, distance]),
        flipped=np.concatenate([near.flipped, np.zeros(len(more), dtype=bool)]),
        matrix=np.concatenate([near.matrix, unmoved(len(more))]),
        threshold=near.threshold,
        looked_at=near.looked_at + len(more),
    )


def unusual_pairs(
    features: Float[np.ndarray, "samples features"] | None, rng: np.random.Generator
) -> Int64[np.ndarray, "pairs 2"]:
    """Pairs whose features are closer than most neighbours are."""
    if features is None:
        return np.zeros((0, 2), dtype=np.int64)
    vectors = unit(features, features.mean(axis=0))
    close = pairs_above(vectors, vectors, 1 - _unusual(_sampled(vectors, rng)), among=cells(vectors, vectors, rng))
    return np.stack([close.one, close.other], axis=1)


def _sampled(
    vectors: Float32[np.ndarray, "samples features"], rng: np.random.Generator
) -> Float64[np.ndarray, " sampled"]:
    own = np.sort(rng.permutation(len(vectors))[:PROBES]).astype(np.int64)
    _, similarity = nearest(vectors[own], vectors, own)
    return np.asarray(np.maximum(0.0, 1 - similarity[:, 0].astype(np.float64)))


def _unusual(distance: Float64[np.ndarray, " sampled"]) -> float:
    """The distance below which a neighbour is compared; 0 if the data cannot tell."""
    positive = distance[distance > ROUNDING]
    if len(positive) < FEWEST:
        return ROUNDING
    logarithm = np.log(positive)
    middle, upper = np.quantile(logarithm, [0.5, 0.75])
    spread = (upper - middle) / scipy.stats.norm.ppf(0.75)
    return float(np.exp(middle + scipy.stats.norm.ppf(UNUSUAL) * spread))
