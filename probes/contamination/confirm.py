"""Is one image a copy of the other? The two are overlaid (flipped or not, shifted by a pixel or not, brightness
fitted), and the remaining difference is compared with the original detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from probes.contamination.thumbnails import chosen

BATCH = 2**19
"""Pixel values compared at once: more than the CPU's cache holds takes half as long again."""
ALIGNMENTS = [(flip, dy, dx) for flip in (0, 1) for dy in (0, -1, 1) for dx in (0, -1, 1)]
FLAT = 2.5
"""Standard deviation about a plane, in 255ths of the range, below which an image has only grain to be recognised
by."""
GRAIN = 1.0
GAIN = (0.2, 5.0)
DISTANT, SATURATED, CLIPPED = 0.7, 0.5, 0.05
"""Correlation of greyscale pixels below which a pair is not a copy, also where more than a share CLIPPED of an image's
values are saturated: copies of CIFAR-10's images that were mirrored, moved, compressed or brightened a little are above
0.86, some that were brightened much are not."""


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
    images: Shaped[np.ndarray, "samples h w channels"],
    pairs: Int64[np.ndarray, "pairs 2"],
    limits: tuple[float, float] = (0.0, 255.0),
    *,
    every: bool = False,
) -> Overlay:
    """Compare pairs of images, batch by batch; `limits` are the values at which pixels saturate. Unless `every` pair is
    wanted, those that correlate little have infinite residuals."""
    size = max(1, BATCH // max(1, int(np.prod(images.shape[1:]))))
    parts = [_batch(images, pairs[start : start + size], limits, every) for start in range(0, len(pairs), size)]
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
    images: Shaped[np.ndarray, "samples h w channels"],
    pairs: Int64[np.ndarray, "pairs 2"],
    limits: tuple[float, float],
    every: bool,
) -> Overlay:
    one, other = chosen(images, pairs[:, 0]), chosen(images, pairs[:, 1])
    distant = np.where(np.maximum(_clipped(one, limits), _clipped(other, limits)) > CLIPPED, SATURATED, DISTANT)
    distant[:] = -np.inf if every else distant
    shades, centre = _centred(grey(one)), _centred(_inside(grey(other), 0, 0))
    length = np.sqrt(np.einsum("pij,pij->p", centre, centre))
    agreement = np.stack([_correlation(_inside(_flip(shades, f), dy, dx), centre, length) for f, dy, dx in ALIGNMENTS])
    best = agreement.argmax(axis=0)
    aligned = np.empty_like(other[:, 1:-1, 1:-1])
    for number, (flip, dy, dx) in enumerate(ALIGNMENTS):
        mine = best == number
        aligned[mine] = _inside(_flip(one[mine], flip), dy, dx)
    target = np.ascontiguousarray(other[:, 1:-1, 1:-1])
    alignment = np.array(ALIGNMENTS, dtype=np.int64)[best]
    upright, mirrored = (agreement[ALIGNMENTS.index((flip, 0, 0))] for flip in (0, 1))
    flipped = mirrored > upright
    whole = np.where(flipped[:, None, None, None], _flip(one, 1), one)
    return Overlay(
        residual=_near(aligned, target, limits, agreement.max(axis=0) >= distant),
        flipped=alignment[:, 0] == 1,
        moved=alignment[:, 1:],
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
    if near.any():
        residual[near] = _either(one[near], other[near], limits)
    return residual


def _either(
    one: Float32[np.ndarray, "pairs h w c"], other: Float32[np.ndarray, "pairs h w c"], limits: tuple[float, float]
) -> Float32[np.ndarray, " pairs"]:
    """Either may be the one whose bright pixels were clipped."""
    plain = [grey(side) for side in (one, other)]
    shades = [(shade, blur(shade)) for shade in plain]
    details = [(detail(fine), detail(coarse)) for fine, coarse in shades]
    return np.asarray(np.minimum(_left(one, other, limits, details), _left(other, one, limits, details[::-1])))


def _clipped(images: Float32[np.ndarray, "pairs h w c"], limits: tuple[float, float]) -> Float32[np.ndarray, " pairs"]:
    """The share of saturated values."""
    flat = images.reshape(len(images), -1)
    return np.asarray(((flat <= limits[0]) | (flat >= limits[1])).mean(axis=1), dtype=np.float32)


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


def _centred(images: Float32[np.ndarray, "pairs h w"]) -> Float32[np.ndarray, "pairs h w"]:
    return np.asarray(images - images.mean(axis=(1, 2), keepdims=True))


def _correlation(
    one: Float32[np.ndarray, "pairs h w"],
    other: Float32[np.ndarray, "pairs h w"],
    length: Float32[np.ndarray, " pairs"],
) -> Float32[np.ndarray, " pairs"]:
    """With `other`, whose mean is 0, and its length; the mean of `one` is nearly 0."""
    a, b = (np.ascontiguousarray(side).reshape(len(side), -1) for side in (one, other))
    own = np.maximum(np.einsum("pi,pi->p", a, a) - a.sum(axis=1) ** 2 / a.shape[1], 0.0)
    return np.asarray(np.einsum("pi,pi->p", a, b) / np.maximum(np.sqrt(own) * length, 1e-6))


def _left(
    given: Float32[np.ndarray, "pairs h w c"],
    target: Float32[np.ndarray, "pairs h w c"],
    limits: tuple[float, float],
    details: Sequence[tuple[Float32[np.ndarray, " pairs"], Float32[np.ndarray, " pairs"]]],
) -> Float32[np.ndarray, " pairs"]:
    """Fit target ≈ clip(α · given + β), by least squares over the pixels that are not saturated; then the error's share
    of the target's detail, both greyscale and blurred, to exclude most of JPEG's errors. `details` are both images' of
    their shades, plain and blurred."""
    low, high = limits
    n = len(given)
    x, y = given.reshape(n, -1), target.reshape(n, -1)
    free = ((y > low) & (y < high)).astype(np.float32)
    count = np.maximum(free.sum(axis=1), 1)
    mean_x, mean_y = (np.einsum("pi,pi->p", free, side) / count for side in (x, y))
    centred = x - mean_x[:, None]
    weighted = free * centred
    spread = np.einsum("pi,pi->p", weighted, centred)
    gain = np.einsum("pi,pi->p", weighted, y - mean_y[:, None]) / np.maximum(spread, 1e-6)
    centred *= gain[:, None]
    centred += mean_y[:, None]
    fitted = np.clip(centred, low, high, out=centred)
    fitted -= y
    error, scale = grey(fitted.reshape(given.shape)), (high - low) / 255
    (own_fine, own), (fine_there, there) = details
    coarse = _share(blur(error), there, own, FLAT * scale)
    # If there is nothing but grain, the grain must agree.
    fine = _share(error, fine_there, own_fine, GRAIN * scale)
    residual = np.where(np.isfinite(coarse), coarse, fine)
    return np.where((gain < GAIN[0]) | (gain > GAIN[1]), np.inf, residual).astype(np.float32)


def _share(
    error: Float32[np.ndarray, "pairs h w"],
    there: Float32[np.ndarray, " pairs"],
    given: Float32[np.ndarray, " pairs"],
    least: float,
) -> Float32[np.ndarray, " pairs"]:
    """Mean squared error divided by the target's detail, `there`; infinite if it, or that of the given image, is less
    than `least` squared."""
    flat = np.minimum(there, given) < least**2
    share = np.einsum("pij,pij->p", error, error) / (error.shape[1] * error.shape[2]) / np.maximum(there, 1e-6)
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
