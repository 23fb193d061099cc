"""Near duplicates: candidates by thumbnails and by the source model's features, confirmed pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64, Shaped
from scipy import stats

from probes.contamination.confirm import overlay
from probes.contamination.distance_threshold import DISTANCE, FEWEST, too_close
from probes.contamination.nearest_neighbours import cells, nearest, pairs_above, unit
from probes.contamination.poses import SMALLEST, Candidates, Search, search
from probes.contamination.registration import COARSE, Registered, register
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
MOST_REGISTERED = 0.025
"""The same of registered pictures, which have more freedom to agree."""
STRANGERS = 2
"""Most alike samples to which some are registered, to see how far strangers agree."""
ROUNDING = 1e-6
"""Distance that float32 leaves between equal features."""
PROBES = 1000
UNUSUAL = 0.05
"""Share of neighbours in features that are close enough to be looked at."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """Confirmed pairs, one < other; `distance` is what the confirmation measured, `threshold` what it was held to.
    `matrix` leads from places in the second picture, in pixels of the reduced picture from its centre, to places in the
    first, mirrored first where `flipped`."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    distance: Float[np.ndarray, " pairs"]
    flipped: Bool[np.ndarray, " pairs"]
    matrix: Float32[np.ndarray, "pairs 2 3"]
    threshold: float
    looked_at: int


def nothing() -> Near:
    none = np.zeros(0, dtype=np.int64)
    return Near(
        one=none,
        other=none,
        distance=np.zeros(0),
        flipped=np.zeros(0, dtype=bool),
        matrix=_unmoved(0),
        threshold=0.0,
        looked_at=0,
    )


def _unmoved(pairs: int) -> Float32[np.ndarray, "pairs 2 3"]:
    return np.repeat(np.eye(2, 3, dtype=np.float32)[None], pairs, axis=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirmed:
    """Which of the candidates are copies, and how."""

    copies: Bool[np.ndarray, " pairs"]
    distance: Float32[np.ndarray, " pairs"]
    flipped: Bool[np.ndarray, " pairs"]
    matrix: Float32[np.ndarray, "pairs 2 3"]
    threshold: float


def near_pictures(
    images: Shaped[np.ndarray, "samples height width channels"],
    features: Float[np.ndarray, "samples features"] | None,
    rng: np.random.Generator,
    between: int = 0,
) -> Near:
    """Copies that were mirrored, moved, turned, cropped, recoloured, brightened or darkened, or compressed; equal ones
    too, if any. Of pictures below `poses.SMALLEST` pixels only those mirrored, moved by a pixel, brightened or
    compressed.

    With `between`, only pairs of one of the first `between` samples with one of the others.
    """
    if len(images) < 3 or min(images.shape[1:3]) < 4:
        return nothing()
    limits = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    small = reduced(images)
    posed = search(small) if min(small.shape[1:3]) >= SMALLEST else None
    found = Candidates(pairs=_of_small(small), pose=_none(0)) if posed is None else posed.candidates(rng)
    others = _by_features(features, rng)
    if posed is not None:
        others = others[~_among(others, found.pairs)]
        added = posed.posed_best(others)
        pose = np.concatenate([found.pose, added.pose])
        found = Candidates(pairs=np.concatenate([found.pairs, added.pairs]), pose=pose)
    else:
        pairs = np.unique(np.concatenate([found.pairs, others]), axis=0)
        found = Candidates(pairs=pairs, pose=_none(len(pairs)))
    if between:
        across = (found.pairs[:, 0] < between) & (found.pairs[:, 1] >= between)
        found = Candidates(pairs=found.pairs[across], pose=found.pose[across])
    seen = _laid_over(small, found, posed, limits, rng)
    if posed is not None:
        seen = _registered(small, found, posed, limits, rng, seen)
    order = np.flatnonzero(seen.copies)
    order = order[np.lexsort((found.pairs[order, 1], found.pairs[order, 0]))]
    return Near(
        one=found.pairs[order, 0],
        other=found.pairs[order, 1],
        distance=seen.distance[order].astype(np.float64),
        flipped=seen.flipped[order],
        matrix=seen.matrix[order],
        threshold=seen.threshold,
        looked_at=len(found.pairs),
    )


def _none(pairs: int) -> Int64[np.ndarray, " pairs"]:
    return np.zeros(pairs, dtype=np.int64)


def _of_small(small: Float32[np.ndarray, "samples h w channels"]) -> Int64[np.ndarray, "pairs 2"]:
    """Candidates among pictures of few pixels: under all shifts by one, and by all pixels."""
    plain = thumbnails(small)
    found = [pairs_above(plain, changed, ALIKE) for changed in variants(small)]
    if tiny(small):
        upright = whole(small)
        found += [pairs_above(upright, other, ALIKE) for other in (upright, whole(small[:, :, ::-1]))]
    return np.unique(np.concatenate([np.stack([close.one, close.other], axis=1) for close in found]), axis=0)


def _by_features(
    features: Float[np.ndarray, "samples features"] | None, rng: np.random.Generator
) -> Int64[np.ndarray, "pairs 2"]:
    if features is None:
        return np.zeros((0, 2), dtype=np.int64)
    vectors = unit(features - features.mean(axis=0))
    close = pairs_above(vectors, vectors, 1 - _unusual(_sampled(vectors, rng)), among=cells(vectors, vectors, rng))
    return np.stack([close.one, close.other], axis=1)


def _among(some: Int64[np.ndarray, "some 2"], pairs: Int64[np.ndarray, "pairs 2"]) -> Bool[np.ndarray, " some"]:
    largest = 1 + max(int(some.max(initial=0)), int(pairs.max(initial=0)))
    return np.isin(some[:, 0] * largest + some[:, 1], pairs[:, 0] * largest + pairs[:, 1])


def _laid_over(
    small: Float32[np.ndarray, "samples h w channels"],
    found: Candidates,
    posed: Search | None,
    limits: tuple[float, float],
    rng: np.random.Generator,
) -> Confirmed:
    """Copies by `overlay`, of those that are most alike unmoved."""
    n, pixels = len(found.pairs), small.shape[1] * small.shape[2]
    unposed = np.ones(n, dtype=bool)
    if posed is not None:
        unposed = np.array([pose.plain for pose in posed.poses])[found.pose]
    seen = overlay(small, found.pairs[unposed], limits)
    neighbours = neighbour_overlay(small, thumbnails(small), limits, rng)
    threshold = _held_to(neighbours.residual, seen.residual, len(small), min(MOST, MOST * pixels / PIXELS))
    still = _held_to(neighbours.still, seen.still, len(small), MOST_STILL)
    unmoved = seen.still <= still
    copies, distance = np.zeros(n, dtype=bool), np.full(n, np.inf, dtype=np.float32)
    flipped, matrix = np.zeros(n, dtype=bool), _unmoved(n)
    copies[unposed] = unmoved | (seen.residual <= threshold)
    distance[unposed] = np.where(unmoved, seen.still, seen.residual)
    flipped[unposed] = np.where(unmoved, seen.still_flipped, seen.flipped)
    matrix[unposed, :, 2] = np.where(unmoved[:, None], 0, seen.moved)
    return Confirmed(copies=copies, distance=distance, flipped=flipped, matrix=matrix, threshold=max(threshold, still))


def _registered(
    small: Float32[np.ndarray, "samples h w channels"],
    found: Candidates,
    posed: Search,
    limits: tuple[float, float],
    rng: np.random.Generator,
    seen: Confirmed,
) -> Confirmed:
    """Of the others, those that are copies once they are registered."""
    own = np.sort(rng.permutation(len(small))[:PROBES]).astype(np.int64)
    strangers = posed.strangers(own, STRANGERS)
    far = _register(small, strangers, posed, limits, coarse=np.inf).residual
    left = np.flatnonzero(~seen.copies)
    rest = Candidates(pairs=found.pairs[left], pose=found.pose[left])
    near = _register(small, rest, posed, limits)
    threshold = _held_to(far.reshape(len(own), STRANGERS), near.residual, len(small), MOST_REGISTERED)
    chosen = left[near.residual <= threshold]
    which = near.residual <= threshold
    copies, distance = seen.copies.copy(), seen.distance.copy()
    flipped, matrix = seen.flipped.copy(), seen.matrix.copy()
    copies[chosen], distance[chosen], matrix[chosen] = True, near.residual[which], near.matrix[which]
    flipped[chosen] = np.array([pose.flipped for pose in posed.poses])[rest.pose[which]]
    return Confirmed(
        copies=copies, distance=distance, flipped=flipped, matrix=matrix, threshold=max(seen.threshold, threshold)
    )


def _register(
    small: Float32[np.ndarray, "samples h w channels"],
    some: Candidates,
    posed: Search,
    limits: tuple[float, float],
    coarse: float = COARSE,
) -> Registered:
    start = np.stack([pose.matrix for pose in posed.poses])[some.pose]
    flipped = np.array([pose.flipped for pose in posed.poses])[some.pose]
    return register(small, some.pairs, flipped, start, limits, coarse)


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
        matrix=_unmoved(pairs),
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
