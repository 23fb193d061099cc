"""Near duplicates: candidates by thumbnails and by the source model's features, confirmed pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64, Shaped
from scipy import stats

from probes.contamination.confirm import overlay
from probes.contamination.distance_threshold import DISTANCE, FEWEST, too_close
from probes.contamination.nearest_neighbours import nearest, pairs_above, unit
from probes.contamination.thumbnails import reduced, thumbnails, tiny, variants, whole

ALIKE = 0.85
"""Correlation of thumbnails from which pictures are looked at: copies with a changed brightness, cut off at white, or
moved by a pixel, are above 0.9 on natural pictures of 32 × 32."""
SURE = 0.0005
"""Residual that rounding to 8 bits leaves of an exact transformation."""
MOST = 0.05
PIXELS = 640
"""Residual above which nothing is called a copy, however unlike the other pictures are; in proportion less where there
are fewer pixels than these, for the fewer there are the more often strangers agree."""
MOST_STILL = 0.1
"""The same of whole pictures laid over each other unmoved."""
ROUNDING = 1e-6
"""Distance that float32 leaves between equal features."""
PROBES = 1000
UNUSUAL = 0.05
"""Share of neighbours in features that are close enough to be looked at."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """Confirmed pairs, one < other; `distance` is what the confirmation measured, `threshold` what it was held to."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    distance: Float[np.ndarray, " pairs"]
    flipped: Bool[np.ndarray, " pairs"]
    moved: Int64[np.ndarray, "pairs 2"]
    threshold: float
    looked_at: int


def nothing() -> Near:
    none = np.zeros(0, dtype=np.int64)
    return Near(
        one=none,
        other=none,
        distance=np.zeros(0),
        flipped=np.zeros(0, dtype=bool),
        moved=np.zeros((0, 2), dtype=np.int64),
        threshold=0.0,
        looked_at=0,
    )


def near_pictures(
    images: Shaped[np.ndarray, "samples height width channels"],
    features: Float[np.ndarray, "samples features"] | None,
    rng: np.random.Generator,
    between: int = 0,
) -> Near:
    """Copies that were mirrored, moved by a pixel, brightened or darkened, or compressed; equal ones too, if any.

    With `between`, only pairs of one of the first `between` samples with one of the others.
    """
    if len(images) < 3 or min(images.shape[1:3]) < 4:
        return nothing()
    limits = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    small = reduced(images)
    plain = thumbnails(small)
    found = [pairs_above(plain, changed, ALIKE) for changed in variants(small)]
    if tiny(small):
        upright = whole(small)
        found += [pairs_above(upright, other, ALIKE) for other in (upright, whole(small[:, :, ::-1]))]
    pairs = [np.stack([close.one, close.other], axis=1) for close in found]
    if features is not None:
        vectors = unit(features - features.mean(axis=0))
        close = pairs_above(vectors, vectors, 1 - _unusual(_sampled(vectors, rng)))
        pairs.append(np.stack([close.one, close.other], axis=1))
    candidates = np.unique(np.concatenate(pairs), axis=0)
    if between:
        candidates = candidates[(candidates[:, 0] < between) & (candidates[:, 1] >= between)]
    seen, neighbours = overlay(small, candidates, limits), neighbour_overlay(small, plain, limits, rng)
    pixels = small.shape[1] * small.shape[2]
    threshold = _held_to(neighbours.residual, seen.residual, len(images), min(MOST, MOST * pixels / PIXELS))
    still = _held_to(neighbours.still, seen.still, len(images), MOST_STILL)
    unmoved = seen.still <= still
    copies = unmoved | (seen.residual <= threshold)
    return Near(
        one=candidates[copies, 0],
        other=candidates[copies, 1],
        distance=np.where(unmoved, seen.still, seen.residual)[copies].astype(np.float64),
        flipped=np.where(unmoved, seen.still_flipped, seen.flipped)[copies],
        moved=np.where(unmoved[:, None], 0, seen.moved)[copies],
        threshold=max(threshold, still),
        looked_at=len(candidates),
    )


def _held_to(
    neighbours: Float32[np.ndarray, "sampled k"], found: Float32[np.ndarray, " pairs"], looks: int, most: float
) -> float:
    """The calibrated threshold, never below what rounding leaves nor above `most`."""
    nearest_of_each = neighbours.min(axis=1)
    return float(np.clip(too_close(nearest_of_each, found, looks=looks, surely=SURE), SURE, most))


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Residuals of some samples and their nearest neighbours by thumbnail: digits look alike, photographs do not."""

    residual: Float32[np.ndarray, "sampled k"]
    still: Float32[np.ndarray, "sampled k"]


def neighbour_overlay(
    images: Float32[np.ndarray, "samples h w channels"],
    plain: Float32[np.ndarray, "samples features"],
    limits: tuple[float, float],
    rng: np.random.Generator,
) -> Neighbours:
    own = np.sort(rng.permutation(len(images))[:PROBES]).astype(np.int64)
    place, _ = nearest(plain[own], plain, own, k=2)
    pairs = np.stack([np.repeat(own, place.shape[1]), place.reshape(-1)], axis=1)
    seen = overlay(images, pairs, limits)
    return Neighbours(residual=seen.residual.reshape(place.shape), still=seen.still.reshape(place.shape))


def copies_between(
    one: Shaped[np.ndarray, "samples height width channels"],
    other: Shaped[np.ndarray, "others height width channels"],
) -> list[tuple[int, int]]:
    """Near copies of samples of one data set in another, by their pictures alone."""
    rng = np.random.default_rng(0)
    joined = np.concatenate([one, other])
    found = near_pictures(joined, None, rng, between=len(one))
    return [(int(i), int(j) - len(one)) for i, j in zip(found.one, found.other, strict=True)]


def near_features(features: Float[np.ndarray, "samples features"], rng: np.random.Generator) -> Near:
    """Where samples are no pictures: pairs at a distance (1 − cosine) that neighbours do not have by chance."""
    if len(features) < 3:
        return nothing()
    vectors = unit(features - features.mean(axis=0))
    return _closest(vectors, vectors, vectors, lambda distance: 1 - distance, rng, surely=ROUNDING)


def near_rows(table: Float32[np.ndarray, "samples features"], rng: np.random.Generator) -> Near:
    """The same of rows of a table, whose columns have a common scale, at half their squared Euclidean distance."""
    if len(table) < 3:
        return nothing()
    # (x, 1, −|x|²/2) · (y, −|y|²/2, 1) = −|x − y|²/2: the search for large products is one for small distances.
    half = (table.astype(np.float64) ** 2).sum(axis=1, keepdims=True).astype(np.float32) / 2
    one = np.ones_like(half)
    queries, index = np.hstack([table, one, -half]), np.hstack([table, -half, one])
    return _closest(table, queries, index, lambda distance: -distance, rng)


def _closest(
    vectors: Float32[np.ndarray, "samples features"],
    queries: Float32[np.ndarray, "samples searched"],
    index: Float32[np.ndarray, "samples searched"],
    to_similarity: Callable[[float], float],
    rng: np.random.Generator,
    surely: float = 0.0,
) -> Near:
    """Pairs by their products in float32, then by |x − y|²/2 itself: of vectors of length one that is 1 − cosine."""

    def apart(i: Int64[np.ndarray, " pairs"], j: Int64[np.ndarray, " pairs"]) -> Float64[np.ndarray, " pairs"]:
        return np.asarray(((vectors[i].astype(np.float64) - vectors[j]) ** 2).sum(axis=1) / 2)

    own = np.sort(rng.permutation(len(queries))[:PROBES]).astype(np.int64)
    place, _ = nearest(queries[own], index, own)
    neighbours = apart(own, place[:, 0])
    close = pairs_above(queries, index, to_similarity(_unusual(neighbours)))
    distance = apart(close.one, close.other)
    threshold = too_close(neighbours, distance, looks=len(queries), surely=surely, law=DISTANCE)
    copies = distance <= threshold
    pairs = int(copies.sum())
    return Near(
        one=close.one[copies],
        other=close.other[copies],
        distance=distance[copies],
        flipped=np.zeros(pairs, dtype=bool),
        moved=np.zeros((pairs, 2), dtype=np.int64),
        threshold=threshold,
        looked_at=len(close.one),
    )


def _sampled(
    vectors: Float32[np.ndarray, "samples features"], rng: np.random.Generator
) -> Float64[np.ndarray, " sampled"]:
    own = np.sort(rng.permutation(len(vectors))[:PROBES]).astype(np.int64)
    _, similarity = nearest(vectors[own], vectors, own)
    return np.asarray(np.maximum(0.0, 1 - similarity[:, 0].astype(np.float64)))


def _unusual(distance: Float64[np.ndarray, " sampled"]) -> float:
    """The distance below which a neighbour is worth a look; 0 where the data cannot tell."""
    positive = distance[distance > ROUNDING]
    if len(positive) < FEWEST:
        return ROUNDING
    logarithm = np.log(positive)
    middle, upper = np.quantile(logarithm, [0.5, 0.75])
    spread = (upper - middle) / stats.norm.ppf(0.75)
    return float(np.exp(middle + stats.norm.ppf(UNUSUAL) * spread))
