"""Candidates for copies that were shifted, rotated, cropped or mirrored: thumbnails of images in a few poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from probes.contamination.nearest_neighbours import Cells, cells, nearest, pairs_above, unit
from probes.contamination.thumbnails import block_mean
from probes.large_arrays import empty, parts

STEP = 3 / 32
"""A shift, as a share of the image's side: copies moved by up to 1.5 of these are within half of one of a pose."""
TURN = 7.0
"""Degrees: copies turned by 3 to 10 are within 4 of a pose."""
SMALLEST = 28
"""Pixels of the shorter side below which only one pose is searched: a thumbnail's pixel is then nearly a pixel of the
image, and look-alikes would pass for shifted copies."""
BORDER, BLOCKS = 1 / 8, 6
"""The border that a thumbnail leaves out, which a shifted copy lacks, and how many of its pixels are left."""
ALIKE = 0.75
"""Correlation of thumbnails from which pairs are compared: of 2,000 moved, cropped, turned and recoloured copies of
CIFAR-10's images 98 % are above it in the best pose."""
MOST = 3
"""Number of candidates per sample, the best of either side, over all poses."""

Pictures = Float32[np.ndarray, "samples h w channels"]
Thumbs = Float32[np.ndarray, "samples features"]
Matrices = Float32[np.ndarray, "pairs 2 3"]


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Mirrored first, then sampled with a rotation and a shift in pixels."""

    flipped: bool = False
    degrees: float = 0.0
    down: float = 0.0
    across: float = 0.0

    @property
    def matrix(self) -> Float32[np.ndarray, "2 3"]:
        """Maps positions in the posed image to positions in the given one, both from the centre."""
        angle = np.deg2rad(self.degrees)
        cosine, sine = np.cos(angle), np.sin(angle)
        return np.array([[cosine, -sine, self.down], [sine, cosine, self.across]], dtype=np.float32)

    @property
    def inverse(self) -> Pose:
        """The pose of the second image in which it is most similar to the first."""
        if self.flipped:
            return Pose(flipped=True, degrees=self.degrees, down=0.0 - self.down, across=self.across)
        return Pose(degrees=0.0 - self.degrees, down=0.0 - self.down, across=0.0 - self.across)

    @property
    def plain(self) -> bool:
        return self.degrees == self.down == self.across == 0.0


def poses(side: int) -> tuple[Pose, ...]:
    """For images whose shorter side has `side` pixels: upright and mirrored, each unchanged, shifted eight ways, and
    rotated two ways."""
    if side < SMALLEST:
        return Pose(), Pose(flipped=True)
    step = float(round(STEP * side))
    moved = [(down, across) for down in (0.0, -step, step) for across in (0.0, -step, step)]
    found = [Pose(flipped=flip, down=down, across=across) for flip in (False, True) for down, across in moved]
    return (*found, *(Pose(flipped=flip, degrees=turn) for flip in (False, True) for turn in (-TURN, TURN)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """Pairs one < other, and the pose (index in `poses`) in which the first is most similar to the second."""

    pairs: Int64[np.ndarray, "pairs 2"]
    pose: Int64[np.ndarray, " pairs"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """Thumbnails of all images in all poses."""

    poses: tuple[Pose, ...]
    plain: Thumbs
    posed: tuple[Thumbs, ...]

    def candidates(self, rng: np.random.Generator) -> Candidates:
        among = cells(self.plain, self.plain, rng)
        # A pair is kept if it is among the best of one of its samples: those of one pose bound what others may add.
        floor = np.full((2, len(self.plain)), ALIKE, dtype=np.float32)
        found = [self._in_pose(number, among, floor) for number in range(len(self.poses))]
        pairs, similarity, pose = (np.concatenate([one[place] for one in found]) for place in range(3))
        order = np.lexsort((-similarity, pairs[:, 1], pairs[:, 0]))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (pairs[order][1:] != pairs[order][:-1]).any(axis=1)
        best = order[first]
        kept = best[_few(pairs[best], similarity[best])]
        return Candidates(pairs=pairs[kept], pose=pose[kept])

    def _in_pose(
        self, number: int, among: Cells | None, floor: Float32[np.ndarray, "2 samples"]
    ) -> tuple[Int64[np.ndarray, "pairs 2"], Float32[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
        posed = self.posed[number]
        close = pairs_above(
            posed,
            self.plain,
            ALIKE,
            MOST,
            among=None if among is None else among.asked_by(posed, self.plain),
            floor=floor,
        )
        for own, ends in zip(floor, (close.one, close.other), strict=True):
            np.maximum(own, _least_kept(len(own), ends, close.similarity), out=own)
        inverse = self.poses.index(self.poses[number].inverse)
        return np.stack([close.one, close.other], axis=1), close.similarity, np.where(close.backwards, inverse, number)

    def posed_best(self, pairs: Int64[np.ndarray, "pairs 2"]) -> Candidates:
        """The best pose of given pairs."""
        pose = np.zeros(len(pairs), dtype=np.int64)
        for part in parts(len(pairs), self.plain.shape[1]):
            pose[part] = _similarity(self.posed, self.plain, pairs[part]).argmax(axis=0)
        return Candidates(pairs=pairs, pose=pose)

    def in_place(self, pairs: Int64[np.ndarray, "pairs 2"]) -> Float32[np.ndarray, " pairs"]:
        """The similarity of pairs, unchanged or mirrored."""
        unmoved = [posed for pose, posed in zip(self.poses, self.posed, strict=True) if pose.plain]
        found = np.zeros(len(pairs), dtype=np.float32)
        for part in parts(len(pairs), self.plain.shape[1]):
            found[part] = _similarity(unmoved, self.plain, pairs[part]).max(axis=0)
        return found

    def strangers(self, own: Int64[np.ndarray, " sampled"], k: int) -> Candidates:
        """The k samples most similar to each of `own` in any pose, as pairs in the order of `own`."""
        found = [nearest(posed[own], self.plain, own, k) for posed in self.posed]
        place, similarity = (np.concatenate([one[side] for one in found], axis=1) for side in range(2))
        pose = np.repeat(np.arange(len(self.posed), dtype=np.int64), found[0][0].shape[1])
        order = np.argsort(-similarity, axis=1, kind="stable")
        chosen = np.empty((len(own), k), dtype=np.int64)
        for row, ranked in enumerate(order):
            _, first = np.unique(place[row, ranked], return_index=True)
            chosen[row] = np.resize(ranked[np.sort(first)], k)
        rows = np.arange(len(own))[:, None]
        pairs = np.stack([np.repeat(own, k), place[rows, chosen].reshape(-1)], axis=1)
        return Candidates(pairs=pairs, pose=pose[chosen].reshape(-1))


def search(pictures: Shaped[np.ndarray, "samples h w channels"]) -> Search:
    """Greyscale thumbnails, so that changes of colour matter little."""
    side = min(pictures.shape[1:3])
    border = round(BORDER * side)
    block = round((side - 2 * border) / BLOCKS)
    height, width = ((length - 2 * border) // block for length in pictures.shape[1:3])
    chosen = poses(side)
    found = tuple(empty((len(pictures), height * width), np.float32) for _ in chosen)
    for part in parts(len(pictures), pictures[:1].size):
        grey = pictures[part] @ np.full((pictures.shape[-1], 1), 1 / pictures.shape[-1], dtype=np.float32)
        for pose, mine in zip(chosen, found, strict=True):
            mine[part] = _thumbs(grey, pose, border, block)
    return Search(poses=chosen, plain=found[0], posed=found)


def _thumbs(grey: Pictures, pose: Pose, border: int, block: int) -> Thumbs:
    """A shift is within the border, so that it takes nothing but another window."""
    h, w = grey.shape[1:3]
    given, top, left = grey[:, :, ::-1] if pose.flipped else grey, border, border
    if pose.degrees:
        given = _rotated(given, pose)
    else:
        top, left = border + round(pose.down), border + round(pose.across)
    small = block_mean(given[:, top : top + h - 2 * border, left : left + w - 2 * border], block).reshape(len(grey), -1)
    return unit(small - small.mean(axis=1, keepdims=True))


def _rotated(pictures: Pictures, pose: Pose) -> Pictures:
    """About the centre; beyond the edge, the edge is repeated."""
    h, w = pictures.shape[1:3]
    down, across = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    places = pose.matrix.astype(np.float64) @ np.stack([down.ravel(), across.ravel(), np.ones(h * w)])
    row = np.clip(np.rint(places[0] + (h - 1) / 2), 0, h - 1).astype(np.int64)
    column = np.clip(np.rint(places[1] + (w - 1) / 2), 0, w - 1).astype(np.int64)
    # `take` from one axis is three times as fast as indexing two.
    flat = pictures.reshape(len(pictures), h * w, -1)
    return np.asarray(np.take(flat, row * w + column, axis=1).reshape(pictures.shape))


def _similarity(
    posed: Sequence[Thumbs], plain: Thumbs, pairs: Int64[np.ndarray, "pairs 2"]
) -> Float32[np.ndarray, "poses pairs"]:
    """Of the first sample of each pair, in each pose, to the second."""
    target = plain[pairs[:, 1]]
    return np.stack([np.einsum("pf,pf->p", one[pairs[:, 0]], target) for one in posed])


def _least_kept(
    samples: int, ends: Int64[np.ndarray, " pairs"], similarity: Float32[np.ndarray, " pairs"]
) -> Float32[np.ndarray, " samples"]:
    """The similarity of the MOST-th best of the pairs that end in a sample; −∞ where there are fewer."""
    order = np.lexsort((-similarity, ends))
    ranked = ends[order]
    last = np.arange(len(order)) - np.searchsorted(ranked, ranked) == MOST - 1
    least = np.full(samples, -np.inf, dtype=np.float32)
    least[ranked[last]] = similarity[order[last]]
    return least


def _few(pairs: Int64[np.ndarray, "pairs 2"], similarity: Float32[np.ndarray, " pairs"]) -> Bool[np.ndarray, " pairs"]:
    """Which pairs are among the MOST best of either of their samples."""
    kept = np.zeros(len(pairs), dtype=bool)
    for side in range(2):
        order = np.lexsort((-similarity, pairs[:, side]))
        ranked = pairs[order, side]
        kept[order[np.arange(len(order)) - np.searchsorted(ranked, ranked) < MOST]] = True
    return kept
