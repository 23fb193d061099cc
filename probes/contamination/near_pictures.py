"""Near duplicates of images: candidates by thumbnails and by the source model's features, confirmed by pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Shaped

from probes.contamination.confirm import overlay
from probes.contamination.distance_threshold import too_close
from probes.contamination.near import Near, nothing, unmoved
from probes.contamination.near_vectors import PROBES, unusual_pairs
from probes.contamination.nearest_neighbours import nearest, pairs_above
from probes.contamination.poses import SMALLEST, Candidates, Search, search
from probes.contamination.registration import COARSE, Registered, register
from probes.contamination.thumbnails import reduced, thumbnails, tiny, variants, whole
from probes.measures.connected import connected

ALIKE = 0.85
"""Correlation of thumbnails from which images are compared: copies with a changed brightness, clipped at white, or
shifted by a pixel, are above 0.9 on natural images of 32 × 32."""
IN_PLACE = 0.5
"""The same for coarser thumbnails, greyscale and without a broad border, upright or mirrored."""
SURE = 0.0005
"""Residual left by rounding an exact transformation to 8 bits."""
MOST = 0.05
PIXELS = 640
"""Residual above which nothing is called a copy, however different the other images are; proportionally smaller for
fewer pixels than these, because unrelated images then agree more often."""
MOST_STILL = 0.1
"""The same for whole images overlaid without a shift."""
MOST_REGISTERED = 0.025
"""The same for registered images, which have more freedom to agree."""
DISTINCT = 0.3
"""A copy leaves at most this share of the residual that the second most similar other image of either sample leaves, as
matches of keypoints are held to a nearest other (Lowe 2004). Planted copies of CIFAR-10's images, of photographs and of
digits leave up to .18, pairs of digits that merely look alike .35 and .45."""
STRANGERS = 2
"""Number of most similar samples with which some are registered, to see how well unrelated images agree."""
LARGEST_GROUP = 300
"""Copies of one image that are all compared with one another."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirmed:
    """Which of the candidates are copies, and how; `distance` is the residual, also of those that are none."""

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
    """Copies that were mirrored, shifted, rotated, cropped, recoloured, brightened or darkened, or compressed; and
    equal ones, if any. For images below `poses.SMALLEST` pixels, only those mirrored, shifted by a pixel, brightened
    or compressed.

    With `between`, only pairs of one of the first `between` samples with one of the others.
    """
    if len(images) < 3 or min(images.shape[1:3]) < 4:
        return nothing()
    limits = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    small = reduced(images)
    posed = search(small) if min(small.shape[1:3]) >= SMALLEST else None
    found = _candidates(small, posed, unusual_pairs(features, rng), rng)
    if between:
        across = (found.pairs[:, 0] < between) & (found.pairs[:, 1] >= between)
        found = Candidates(pairs=found.pairs[across], pose=found.pose[across])
    standard = _standard(small, posed, limits, rng)
    seen = _confirmed(small, found, posed, limits, standard)
    more = _inside_groups(found.pairs[seen.copies], found.pairs)
    if len(more):
        added = Candidates(pairs=more, pose=_none(len(more))) if posed is None else posed.posed_best(more)
        found = Candidates(pairs=np.concatenate([found.pairs, more]), pose=np.concatenate([found.pose, added.pose]))
        seen = _joined(seen, _confirmed(small, added, posed, limits, standard))
    order = np.flatnonzero(seen.copies if posed is None else seen.copies & _distinct(found.pairs, seen))
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


def _candidates(
    small: Shaped[np.ndarray, "samples h w channels"],
    posed: Search | None,
    others: Int64[np.ndarray, "others 2"],
    rng: np.random.Generator,
) -> Candidates:
    """By the images, and `others`."""
    if posed is None:
        pairs = np.unique(np.concatenate([_of_small(small), others]), axis=0)
        return Candidates(pairs=pairs, pose=_none(len(pairs)))
    found = posed.candidates(rng)
    added = posed.posed_best(others[~_among(others, found.pairs)])
    pose = np.concatenate([found.pose, added.pose])
    return Candidates(pairs=np.concatenate([found.pairs, added.pairs]), pose=pose)


def _distinct(pairs: Int64[np.ndarray, "pairs 2"], seen: Confirmed) -> Bool[np.ndarray, " pairs"]:
    """Whether a pair is far more alike than either sample is to samples that are not copies of it. Where all samples
    look alike, as sixes do, a small residual is no evidence. The nearest other image may be a copy that was missed, so
    the second nearest counts; copies of one another count once."""
    numbers, places = np.unique(pairs, return_inverse=True)
    ends = places.reshape(-1, 2)
    group = connected(ends[seen.copies], len(numbers))
    others = ends[~seen.copies]
    own, rival = np.concatenate([others, others[:, ::-1]]).T
    rival, distance = group[rival], np.tile(seen.distance[~seen.copies], 2)
    order = np.lexsort((distance, rival, own))
    own, rival, distance = own[order], rival[order], distance[order]
    nearest_of_group = np.ones(len(own), dtype=bool)
    nearest_of_group[1:] = (own[1:] != own[:-1]) | (rival[1:] != rival[:-1])
    own, distance = own[nearest_of_group], distance[nearest_of_group]
    order = np.lexsort((distance, own))
    own, distance = own[order], distance[order]
    second = np.arange(len(own)) - np.searchsorted(own, own) == 1
    rivals = np.full(len(numbers), np.inf, dtype=np.float32)
    rivals[own[second]] = distance[second]
    return np.asarray(seen.distance <= np.maximum(SURE, DISTINCT * rivals[ends].min(axis=1)))


def _inside_groups(
    copies: Int64[np.ndarray, "copies 2"], looked: Int64[np.ndarray, "pairs 2"]
) -> Int64[np.ndarray, "more 2"]:
    """Pairs within groups of three copies or more that were not compared: of a sample with many copies, only a few are
    among the candidates. None for groups larger than LARGEST_GROUP."""
    numbers, places = np.unique(copies, return_inverse=True)
    component = connected(places.reshape(-1, 2), len(numbers))
    sizes = np.bincount(component, minlength=1)
    groups = [numbers[component == one] for one in np.flatnonzero((sizes > 2) & (sizes <= LARGEST_GROUP))]
    pairs = [np.stack([group[i] for i in np.triu_indices(len(group), 1)], axis=1) for group in groups]
    if not pairs:
        return np.zeros((0, 2), dtype=np.int64)
    inside = np.concatenate(pairs).astype(np.int64)
    return np.asarray(inside[~_among(inside, looked)])


def _joined(one: Confirmed, other: Confirmed) -> Confirmed:
    return Confirmed(
        copies=np.concatenate([one.copies, other.copies]),
        distance=np.concatenate([one.distance, other.distance]),
        flipped=np.concatenate([one.flipped, other.flipped]),
        matrix=np.concatenate([one.matrix, other.matrix]),
        threshold=max(one.threshold, other.threshold),
    )


def _none(pairs: int) -> Int64[np.ndarray, " pairs"]:
    return np.zeros(pairs, dtype=np.int64)


def _of_small(small: Shaped[np.ndarray, "samples h w channels"]) -> Int64[np.ndarray, "pairs 2"]:
    """Candidates among small images: under all shifts by one pixel, and by all pixels."""
    plain = thumbnails(small)
    found = [pairs_above(plain, changed, ALIKE) for changed in variants(small)]
    if tiny(small):
        upright = whole(small)
        found += [pairs_above(upright, other, ALIKE) for other in (upright, whole(small[:, :, ::-1]))]
    return np.unique(np.concatenate([np.stack([close.one, close.other], axis=1) for close in found]), axis=0)


def _among(some: Int64[np.ndarray, "some 2"], pairs: Int64[np.ndarray, "pairs 2"]) -> Bool[np.ndarray, " some"]:
    largest = 1 + max(int(some.max(initial=0)), int(pairs.max(initial=0)))
    return np.isin(some[:, 0] * largest + some[:, 1], pairs[:, 0] * largest + pairs[:, 1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Standard:
    """Residuals of some samples and of those most similar to them: digits look alike, photographs do not. `registered`
    is empty if images are too small for it."""

    residual: Float32[np.ndarray, "sampled k"]
    still: Float32[np.ndarray, "sampled k"]
    registered: Float32[np.ndarray, "sampled_too k"]


def _standard(
    small: Shaped[np.ndarray, "samples h w channels"],
    posed: Search | None,
    limits: tuple[float, float],
    rng: np.random.Generator,
) -> Standard:
    own = np.sort(rng.permutation(len(small))[:PROBES]).astype(np.int64)
    plain = thumbnails(small)
    place, _ = nearest(plain[own], plain, own, k=STRANGERS)
    pairs = np.stack([np.repeat(own, place.shape[1]), place.reshape(-1)], axis=1)
    seen = overlay(small, pairs, limits, every=True)
    registered = np.zeros((0, STRANGERS), dtype=np.float32)
    if posed is not None:
        strangers = posed.strangers(own, STRANGERS)
        registered = _register(small, strangers, posed, limits, coarse=np.inf).residual.reshape(len(own), STRANGERS)
    return Standard(
        residual=seen.residual.reshape(place.shape), still=seen.still.reshape(place.shape), registered=registered
    )


def _confirmed(
    small: Shaped[np.ndarray, "samples h w channels"],
    found: Candidates,
    posed: Search | None,
    limits: tuple[float, float],
    standard: Standard,
) -> Confirmed:
    """Copies by `overlay` for pairs that match without a shift, and by `register` for the others."""
    n, pixels = len(found.pairs), small.shape[1] * small.shape[2]
    unposed = np.ones(n, dtype=bool)
    if posed is not None:
        unposed = posed.in_place(found.pairs) >= IN_PLACE
    seen = overlay(small, found.pairs[unposed], limits)
    threshold = _held_to(standard.residual, seen.residual, len(small), min(MOST, MOST * pixels / PIXELS))
    still = _held_to(standard.still, seen.still, len(small), MOST_STILL)
    in_place = seen.still <= still
    copies, distance = np.zeros(n, dtype=bool), np.full(n, np.inf, dtype=np.float32)
    flipped, matrix = np.zeros(n, dtype=bool), unmoved(n)
    copies[unposed] = in_place | (seen.residual <= threshold)
    distance[unposed] = np.where(in_place, seen.still, seen.residual)
    flipped[unposed] = np.where(in_place, seen.still_flipped, seen.flipped)
    matrix[unposed, :, 2] = np.where(in_place[:, None], 0, seen.moved)
    highest = max(threshold, still)
    if posed is not None:
        left = np.flatnonzero(~copies)
        rest = Candidates(pairs=found.pairs[left], pose=found.pose[left])
        near = _register(small, rest, posed, limits)
        threshold = _held_to(standard.registered, near.residual, len(small), MOST_REGISTERED)
        which = near.residual <= threshold
        distance[left] = np.minimum(distance[left], near.residual)
        chosen, highest = left[which], max(highest, threshold)
        copies[chosen], distance[chosen], matrix[chosen] = True, near.residual[which], near.matrix[which]
        flipped[chosen] = np.array([pose.flipped for pose in posed.poses])[rest.pose[which]]
    return Confirmed(copies=copies, distance=distance, flipped=flipped, matrix=matrix, threshold=highest)


def _register(
    small: Shaped[np.ndarray, "samples h w channels"],
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
    """The calibrated threshold, never below the rounding residual nor above `most`."""
    nearest_of_each = neighbours.min(axis=1)
    return float(np.clip(too_close(nearest_of_each, found, looks=looks, surely=SURE), SURE, most))


def copies_between(
    one: Shaped[np.ndarray, "samples height width channels"],
    other: Shaped[np.ndarray, "others height width channels"],
) -> list[tuple[int, int]]:
    """Near copies of samples of one data set in another, based only on their images."""
    rng = np.random.default_rng(0)
    joined = np.concatenate([one, other])
    found = near_pictures(joined, None, rng, between=len(one))
    return [(int(i), int(j) - len(one)) for i, j in zip(found.one, found.other, strict=True)]
