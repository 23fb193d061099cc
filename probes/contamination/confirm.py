"""Is one image a copy of the other? The two are overlaid (flipped or not, shifted by a pixel or not, brightness
fitted), and the remaining difference is compared with the original detail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

BATCH = 2**19
"""Pixel values compared at once: more than the CPU's cache holds takes half as long again."""
ALIGNMENTS = [(flip, dy, dx) for flip in (0, 1) for dy in (0, -1, 1) for dx in (0, -1, 1)]
FLAT = 2.5
"""Standard deviation about a plane, in 255ths of the range, below which an image has only grain to be recognised
by."""
GRAIN = 1.0
GAIN = (0.2, 5.0)
DISTANT = 0.5
"""Correlation of greyscale pixels below which a pair is not a copy: a residual of 0.1 takes some 0.95, less where
pixels are saturated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlay:
    """`residual` is the share of the detail that the aligned, brightness-fitted other image leaves: 0 for a copy,
    infinite if one is too flat to tell. It is measured without the border, which a shifted copy lacks.

    `still` is the same for the whole images, overlaid without a shift: small images have no pixels to spare, and
    with 2 alignments instead of 18 unrelated images seldom agree by chance.
    """

    residual: Float32[np.ndarray, " pairs"]
    flipped: Bool[np.ndarray, " pairs"]
    moved: Int64[np.ndarray, "pairs 2"]
    still: Float32[np.ndarray, " pairs"]
    still_flipped: Bool[np.ndarray, " pairs"]


def overlay(
    images: Float32[np.ndarray, "samples h w channels"],
    pairs: Int64[np.ndarray, "pairs 2"],
    limits: tuple[float, float] = (0.0, 255.0),
    distant: float = DISTANT,
) -> Overlay:
    """Compare pairs of images, batch by batch; `limits` are the values at which pixels saturate. Pairs that correlate
    less than `distant` have infinite residuals."""
    size = max(1, BATCH // max(1, int(np.prod(images.shape[1:]))))
    parts = [_batch(images, pairs[start : start + size], limits, distant) for start in range(0, len(pairs), size)]
    if not parts:
        none, no = np.zeros(0, dtype=np.float32), np.zeros(0, dtype=bool)
        return Overlay(residual=none, flipped=no, moved=np.zeros((0, 2), np.int64), still=none, still_flipped=no)
    return Overlay(
        residual=np.concatenate([part.residual for part in parts]),
        flipped=np.concatenate([part.flipped for part in parts]),
        moved=np.concatenate([part.moved for part in parts]),
        still=np.concatenate([part.still for part in parts]),
        still_flipped=np.concatenate([part.still_flipped for part in parts]),
    )


def _batch(
    images: Float32[np.ndarray, "samples h w channels"],
    pairs: Int64[np.ndarray, "pairs 2"],
    limits: tuple[float, float],
    distant: float,
) -> Overlay:
    one, other = images[pairs[:, 0]], images[pairs[:, 1]]
    shades, centre = grey(one), _inside(grey(other), 0, 0)
    agreement = np.stack([_correlation(_inside(_flip(shades, f), dy, dx), centre) for f, dy, dx in ALIGNMENTS])
    best = agreement.argmax(axis=0)
    aligned = np.empty_like(other[:, 1:-1, 1:-1])
    for number, (flip, dy, dx) in enumerate(ALIGNMENTS):
        mine = best == number
        aligned[mine] = _inside(_flip(one[mine], flip), dy, dx)
    target = np.ascontiguousarray(other[:, 1:-1, 1:-1])
    chosen = np.array(ALIGNMENTS, dtype=np.int64)[best]
    upright, mirrored = (agreement[ALIGNMENTS.index((flip, 0, 0))] for flip in (0, 1))
    flipped = mirrored > upright
    whole = np.where(flipped[:, None, None, None], _flip(one, 1), one)
    return Overlay(
        residual=_near(aligned, target, limits, agreement.max(axis=0) >= distant),
        flipped=chosen[:, 0] == 1,
        moved=chosen[:, 1:],
        still=_near(whole, other, limits, np.maximum(upright, mirrored) >= distant),
        still_flipped=flipped,
    )


def _near(
    one: Float32[np.ndarray, "pairs h w c"],
    other: Float32[np.ndarray, "pairs h w c"],
    limits: tuple[float, float],
    near: Bool[np.ndarray, " pairs"],
) -> Float32[np.ndarray, " pairs"]:
    """The residuals of those that are `near`."""
    residual = np.full(len(one), np.inf, dtype=np.float32)
    residual[near] = _either(one[near], other[near], limits)
    return residual


def _either(
    one: Float32[np.ndarray, "pairs h w c"], other: Float32[np.ndarray, "pairs h w c"], limits: tuple[float, float]
) -> Float32[np.ndarray, " pairs"]:
    """Either may be the one whose bright pixels were clipped."""
    return np.asarray(np.minimum(_left(one, other, limits), _left(other, one, limits)))


def _flip(images: Float32[np.ndarray, "pairs h w *c"], flip: int) -> Float32[np.ndarray, "pairs h w *c"]:
    return images[:, :, ::-1] if flip else images


def grey(images: Float32[np.ndarray, "pairs h w c"]) -> Float32[np.ndarray, "pairs h w"]:
    """The mean of the channels."""
    # A product with a vector: a mean over an axis of three is forty times slower.
    channels = images.shape[-1]
    return np.asarray(images @ np.full(channels, 1 / channels, dtype=np.float32))


def _inside(images: Float32[np.ndarray, "pairs h w *c"], dy: int, dx: int) -> Float32[np.ndarray, "pairs h2 w2 *c"]:
    """Without a border of one pixel, from a window moved by dy, dx: padding of any kind stays out."""
    h, w = images.shape[1:3]
    return images[:, 1 + dy : h - 1 + dy, 1 + dx : w - 1 + dx]


def _correlation(
    one: Float32[np.ndarray, "pairs h w"], other: Float32[np.ndarray, "pairs h w"]
) -> Float32[np.ndarray, " pairs"]:
    a, b = (side.reshape(len(side), -1) for side in (one, other))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    scale = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.maximum(scale, 1e-6))


def _left(
    given: Float32[np.ndarray, "pairs h w c"], target: Float32[np.ndarray, "pairs h w c"], limits: tuple[float, float]
) -> Float32[np.ndarray, " pairs"]:
    """Fit target ≈ clip(α · given + β), by least squares over the pixels that are not saturated; then the error's share
    of the target's detail, both greyscale and blurred, to exclude most of JPEG's errors."""
    low, high = limits
    axes = (1, 2, 3)
    free = ((target > low) & (target < high)).astype(np.float32)
    count = np.maximum(free.sum(axis=axes), 1)
    mean_given = (free * given).sum(axis=axes) / count
    mean_target = (free * target).sum(axis=axes) / count
    centred = given - mean_given[:, None, None, None]
    spread = (free * centred * centred).sum(axis=axes)
    shared = (free * centred * (target - mean_target[:, None, None, None])).sum(axis=axes)
    gain = shared / np.maximum(spread, 1e-6)
    fitted = np.clip(gain[:, None, None, None] * centred + mean_target[:, None, None, None], low, high)
    error, scale = grey(fitted - target), (high - low) / 255
    coarse = _share(blur(error), blur(grey(target)), blur(grey(given)), FLAT * scale)
    # If there is nothing but grain, the grain must agree.
    fine = _share(error, grey(target), grey(given), GRAIN * scale)
    residual = np.where(np.isfinite(coarse), coarse, fine)
    return np.where((gain < GAIN[0]) | (gain > GAIN[1]), np.inf, residual).astype(np.float32)


def _share(
    error: Float32[np.ndarray, "pairs h w"],
    target: Float32[np.ndarray, "pairs h w"],
    given: Float32[np.ndarray, "pairs h w"],
    least: float,
) -> Float32[np.ndarray, " pairs"]:
    """Mean squared error divided by the target's detail; infinite if one has less than `least`."""
    there = detail(target)
    flat = np.minimum(there, detail(given)) < least**2
    share = (error * error).mean(axis=(1, 2)) / np.maximum(there, 1e-6)
    return np.where(flat, np.inf, share).astype(np.float32)


def detail(images: Float32[np.ndarray, "pairs h w"]) -> Float32[np.ndarray, " pairs"]:
    """Variance about the best plane: two parts of one sky share their gradient, but are not copies because of it."""
    h, w = images.shape[1:3]
    down, across = np.arange(h, dtype=np.float32) - (h - 1) / 2, np.arange(w, dtype=np.float32) - (w - 1) / 2
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    by_row = np.einsum("pij,i->p", centred, down) ** 2 / (max(1.0, float(down @ down)) * w)
    by_column = np.einsum("pij,j->p", centred, across) ** 2 / (max(1.0, float(across @ across)) * h)
    return np.asarray(((centred**2).sum(axis=(1, 2)) - by_row - by_column) / (h * w))


def blur(images: Float32[np.ndarray, "pairs h w"]) -> Float32[np.ndarray, "pairs h w"]:
    """Means over 3 × 3 pixels."""
    h, w = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :h] + padded[:, 1 : h + 1] + padded[:, 2 : h + 2]
    return np.asarray((rows[:, :, :w] + rows[:, :, 1 : w + 1] + rows[:, :, 2 : w + 2]) / 9)
