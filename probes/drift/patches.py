"""Where attribution falls: boxes in which a class's attribution concentrates, and the border, corners and
background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

CARRIERS = 3
"""A mark in few of a class's samples shows in those with most mass in one place, not in the class's mean."""
MOST_BOXES = 20
"""Largest number of boxes of one size: with many classes, those with most mass beyond the others' are tried."""
BORDER = 1 / 8
CORNER = 1 / 4
BACKGROUND = 0.3
"""A value in at least this share of an image's positions is its background."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """The suspected class, and the position: top row, left column and side, in pixels of the network's input."""

    label: int
    top: int
    left: int
    side: int

    @property
    def place(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


def positive_mass(maps: Float[np.ndarray, "samples ..."]) -> Float[np.ndarray, "samples ..."]:
    """The positive attribution to the class, as shares that add up to one per sample."""
    positive = np.maximum(maps, 0).astype(np.float64)
    total = positive.sum(axis=tuple(range(1, positive.ndim)), keepdims=True)
    return np.asarray(positive / np.maximum(total, 1e-12))


def candidate_boxes(
    mass: Float[np.ndarray, "samples height width"], labels: Int[np.ndarray, " samples"], side: int
) -> list[Box]:
    """For each class two boxes of that side: where its mean mass exceeds the other classes' most, and where its samples
    with most mass exceed the same number of other classes' samples most. At most MOST_BOXES."""
    sums = box_sums(mass, side)
    found: dict[Box, float] = {}
    for label in np.unique(labels):
        mine = labels == label
        if mine.all():
            continue
        means = sums[mine].mean(axis=0) - sums[~mine].mean(axis=0)
        tops = _highest(sums[mine]) - _highest(sums[~mine])
        for excess in (means, tops):
            top, left = np.unravel_index(int(np.argmax(excess)), excess.shape)
            box = Box(label=int(label), top=int(top), left=int(left), side=side)
            found[box] = max(found.get(box, -np.inf), float(excess.max()))
    return sorted(found, key=lambda box: -found[box])[:MOST_BOXES]


def _highest(sums: Float[np.ndarray, "samples tops lefts"]) -> Float[np.ndarray, "tops lefts"]:
    """The mean of the CARRIERS highest samples at each position."""
    few = min(CARRIERS, len(sums))
    return np.asarray(np.partition(sums, len(sums) - few, axis=0)[len(sums) - few :].mean(axis=0))


def box_sums(images: Float[np.ndarray, "samples height width"], side: int) -> Float[np.ndarray, "samples tops lefts"]:
    """Sums over all side × side boxes, by an integral image."""
    total = np.pad(images, ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
    return np.asarray(
        total[:, side:, side:] - total[:, :-side, side:] - total[:, side:, :-side] + total[:, :-side, :-side]
    )


def in_box(mass: Float[np.ndarray, "samples height width"], box: Box) -> Float[np.ndarray, " samples"]:
    return np.asarray(mass[:, *box.place].sum(axis=(1, 2)))


def sides(shape: Sequence[int], shares: Sequence[float]) -> tuple[int, ...]:
    """Distinct box sides in pixels, ascending."""
    short = min(shape)
    return tuple(sorted({min(max(1, round(share * short)), short - 1) for share in shares}))


def border(height: int, width: int) -> Bool[np.ndarray, "height width"]:
    inside = np.zeros((height, width), dtype=bool)
    down, across = (max(1, round(BORDER * side)) for side in (height, width))
    inside[down : height - down, across : width - across] = True
    return ~inside


def corners(height: int, width: int) -> Bool[np.ndarray, "height width"]:
    down, across = (max(1, round(CORNER * side)) for side in (height, width))
    rows, columns = np.zeros(height, dtype=bool), np.zeros(width, dtype=bool)
    rows[:down] = rows[height - down :] = True
    columns[:across] = columns[width - across :] = True
    return rows[:, None] & columns[None, :]


def background(images: Shaped[np.ndarray, "samples channels height width"]) -> Bool[np.ndarray, "samples height width"]:
    """Positions with their image's most common value; none if no value is that common (photographs)."""
    found = np.zeros((len(images), *images.shape[2:]), dtype=bool)
    for i, image in enumerate(images):
        flat = np.round(image.reshape(len(image), -1).T, 4)
        values, which, counts = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
        if len(values) > 1 and counts.max() >= BACKGROUND * len(flat):
            found[i] = (which.reshape(-1) == counts.argmax()).reshape(image.shape[1:])
    return found
