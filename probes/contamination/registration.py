"""Is one image the other, shifted, rotated, cropped, stretched or recoloured? It is registered to the other by
Gauss–Newton steps (Lucas & Kanade 1981), and the remaining difference is compared with the original detail."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from probes.contamination.confirm import FLAT, blur, detail
from probes.contamination.thumbnails import block_mean, chosen
from probes.large_arrays import empty, parts

BORDER = 5 / 32
"""Border as a share of the shorter side: an image shifted or rotated within the search range lacks no more."""
STEPS = 4
"""Steps at half the resolution, and again at full resolution."""
COARSE = 0.2
"""Residual at half the resolution above which a pair is dropped: 2 % of copies are above .045, 5 % of unrelated
look-alikes below .04 (CIFAR-10)."""
BATCH = 2**19
"""Pixel values registered at once."""
LARGEST_TURN, LARGEST_SHIFT = 0.1, 1.5
"""Limits of one step: for the linear matrix's entries, and in pixels."""
RIDGE = 1e-3
SCALED, STRETCHED, TURNED = 1.3, 1.2, 15.0
"""Largest change of scale, ratio of both axes' scales, and degrees, of a copy: an affine map can fit any blob to any
other, such as one aeroplane's silhouette to the next."""

Pictures = Float32[np.ndarray, "pairs h w *c"]
Grey = Float32[np.ndarray, "pairs h w"]
Halved = Float32[np.ndarray, "pairs h2 w2"]
Matrices = Float32[np.ndarray, "pairs 2 3"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Registered:
    """`residual` is the share of the detail that the registered image leaves, infinite if one is too flat to tell or
    they do not match at half the resolution; `matrix` maps positions in the second image, from its centre, to
    positions in the first."""

    residual: Float32[np.ndarray, " pairs"]
    matrix: Matrices


def register(
    images: Shaped[np.ndarray, "samples h w channels"],
    pairs: Int64[np.ndarray, "pairs 2"],
    flipped: Bool[np.ndarray, " pairs"],
    start: Matrices,
    limits: tuple[float, float],
    coarse: float = COARSE,
) -> Registered:
    """The first image of each pair, mirrored where `flipped`, registered to the second from `start` on; `limits` are
    the range of the values."""
    size = max(1, BATCH // max(1, int(np.prod(images.shape[1:]))))
    asked, place = np.unique(pairs, return_inverse=True)
    place, (upright, mirrored) = place.reshape(-1, 2), _halved(images, asked)
    residual, matrix = np.full(len(pairs), np.inf, dtype=np.float32), start.copy()
    left = np.full(len(pairs), np.inf, dtype=np.float32)
    for top in range(0, len(pairs), 4 * size):
        part = slice(top, top + 4 * size)
        first, second = place[part].T
        half_one = np.where(flipped[part, None, None], mirrored[first], upright[first])
        at = _registered(half_one, upright[second], _scaled(start[part], 0.5))
        matrix[part] = _scaled(at, 2.0)
        left[part] = _left(half_one[..., None], upright[second][..., None], at, 0.0)
    kept, flat = np.flatnonzero(left <= coarse), FLAT * (limits[1] - limits[0]) / 255
    for top in range(0, len(kept), size):
        few = kept[top : top + size]
        one, other = chosen(images, pairs[few, 0]), chosen(images, pairs[few, 1])
        one[flipped[few]] = one[flipped[few], :, ::-1]
        residual[few], matrix[few] = _in_full(one, other, matrix[few], flat)
    residual[_too_far(matrix)] = np.inf
    return Registered(residual=residual, matrix=matrix)


def _halved(
    images: Shaped[np.ndarray, "samples h w channels"], asked: Int64[np.ndarray, " asked"]
) -> tuple[Halved, Halved]:
    """The lightness of some images at half the resolution, upright and mirrored."""
    shape = (len(asked), images.shape[1] // 2, images.shape[2] // 2)
    upright, mirrored = empty(shape, np.float32), empty(shape, np.float32)
    for part in parts(len(asked), images[:1].size):
        some = chosen(images, asked[part])
        upright[part], mirrored[part] = (lightness(block_mean(side, 2)) for side in (some, some[:, :, ::-1]))
    return upright, mirrored


def _in_full(
    one: Pictures, other: Pictures, matrix: Matrices, flat: float
) -> tuple[Float32[np.ndarray, " pairs"], Matrices]:
    """The steps at full resolution, and what they leave."""
    matrix = _registered(blur(lightness(one)), blur(lightness(other)), matrix)
    left = np.minimum(_left(one, other, matrix, flat), _left(other, one, _inverse(matrix), flat))
    return left, matrix


def _too_far(matrix: Matrices) -> Bool[np.ndarray, " pairs"]:
    large, small = np.maximum(np.linalg.svd(matrix[:, :, :2], compute_uv=False), 1e-6).T
    turn = np.arctan2(matrix[:, 1, 0] - matrix[:, 0, 1], matrix[:, 0, 0] + matrix[:, 1, 1])
    scaled = np.maximum(large, 1 / small) > SCALED
    return np.asarray(scaled | (large > STRETCHED * small) | (np.abs(np.degrees(turn)) > TURNED))


def _registered(one: Grey, other: Grey, matrix: Matrices) -> Matrices:
    """A few steps: `other` ≈ gain · one(matrix (1 + d)) + offset by least squares in d, gain and offset."""
    n, (h, w) = len(one), one.shape[1:3]
    border = _border(h, w)
    target = other[:, border : h - border, border : w - border].reshape(n, -1)
    target = target - target.mean(axis=1, keepdims=True)
    scale = min(h, w) / 2
    for _ in range(STEPS):
        seen, down, across = sampled(one[..., None], matrix, border - 1)
        seen = seen[..., 0]
        by_row = ((seen[:, 2:, 1:-1] - seen[:, :-2, 1:-1]) / 2).reshape(n, -1)
        by_column = ((seen[:, 1:-1, 2:] - seen[:, 1:-1, :-2]) / 2).reshape(n, -1)
        y, x = (places[1:-1, 1:-1].reshape(-1) / scale for places in (down, across))
        inside = seen[:, 1:-1, 1:-1].reshape(n, -1)
        basis = np.stack([by_row * y, by_row * x, by_row, by_column * y, by_column * x, by_column, inside], axis=1)
        basis -= (np.einsum("nkp->nk", basis) / basis.shape[2])[..., None]
        found = _least_squares(basis, target)
        gain = found[:, 6]
        step = found[:, :6].reshape(n, 2, 3) / np.where(np.abs(gain) < 0.1, 0.1, gain)[:, None, None]
        step[:, :, :2] = np.clip(step[:, :, :2] / scale, -LARGEST_TURN, LARGEST_TURN)
        step[:, :, 2] = np.clip(step[:, :, 2], -LARGEST_SHIFT, LARGEST_SHIFT)
        matrix = _after(matrix, step)
    return matrix


def _left(one: Pictures, other: Pictures, matrix: Matrices, flat: float) -> Float32[np.ndarray, " pairs"]:
    """The share of the detail of the second image's lightness that no mixture of the first one's channels, their
    largest and their least value explains, both blurred: a change to grey is a mixture of channels, and a change of hue
    keeps the largest and the least."""
    n, (h, w) = len(one), one.shape[1:3]
    border = _border(h, w)
    channels = sampled(one, matrix, border)[0]
    shades = [channels[..., channel] for channel in range(channels.shape[-1])]
    if len(shades) > 1:
        shades += _ends(channels)
    seen = np.stack([blur(shade) for shade in shades], axis=1)
    target = blur(lightness(other[:, border : h - border, border : w - border]))
    least = np.minimum(detail(seen.mean(axis=1)), detail(target))
    basis = seen.reshape(n, seen.shape[1], -1)
    basis = basis - basis.mean(axis=2, keepdims=True)
    wanted = target.reshape(n, -1) - target.reshape(n, -1).mean(axis=1, keepdims=True)
    fitted = np.einsum("nk,nkp->np", _least_squares(basis, wanted), basis)
    share = ((wanted - fitted) ** 2).mean(axis=1) / np.maximum(detail(target), 1e-6)
    inverted = (basis.mean(axis=1) * wanted).sum(axis=1) <= 0
    return np.where((least < flat**2) | inverted, np.inf, share).astype(np.float32)


def lightness(images: Float32[np.ndarray, "pairs h w c"]) -> Grey:
    """The mean of the largest and the smallest channel, which a change of hue preserves."""
    largest, least = _ends(images)
    return np.asarray((largest + least) / 2)


def _ends(images: Float32[np.ndarray, "pairs h w c"]) -> tuple[Grey, Grey]:
    """The largest and the least channel; channel by channel, since `max` over an axis of three is ten times slower."""
    channels = [images[..., channel] for channel in range(images.shape[-1])]
    return functools.reduce(np.maximum, channels), functools.reduce(np.minimum, channels)


def sampled(
    pictures: Float32[np.ndarray, "pairs h w c"], matrix: Matrices, border: int
) -> tuple[Float32[np.ndarray, "pairs h2 w2 c"], Float32[np.ndarray, "h2 w2"], Float32[np.ndarray, "h2 w2"]]:
    """Bilinear values at the positions to which `matrix` maps a window without the border, and the window's positions
    from the centre, down and across."""
    n, h, w, c = pictures.shape
    down, across = np.meshgrid(
        np.arange(border, h - border, dtype=np.float32) - (h - 1) / 2,
        np.arange(border, w - border, dtype=np.float32) - (w - 1) / 2,
        indexing="ij",
    )
    window = np.stack([down.ravel(), across.ravel(), np.ones(down.size, dtype=np.float32)])
    places = matrix @ window
    row = np.clip(places[:, 0] + (h - 1) / 2, 0, h - 1.001)
    column = np.clip(places[:, 1] + (w - 1) / 2, 0, w - 1.001)
    top, left = np.floor(row), np.floor(column)
    y, x = row - top, column - left
    corner = (np.arange(n, dtype=np.int64)[:, None] * (h * w)) + (top * w + left).astype(np.int64)
    values = np.empty((n, down.size, c), dtype=np.float32)
    for channel in range(c):
        # Shifted views instead of shifted indices; `take` from one axis is several times faster than indexing rows.
        flat = pictures[..., channel].reshape(-1)
        upper, lower = (_between(flat[start:], corner, x) for start in (0, w))
        values[..., channel] = upper + (lower - upper) * y
    return values.reshape(n, *down.shape, c), down, across


def _between(
    flat: Float32[np.ndarray, " values"], corner: Int64[np.ndarray, "pairs places"], x: Float32[np.ndarray, "p places"]
) -> Float32[np.ndarray, "pairs places"]:
    """Between each place and the next one."""
    left = flat.take(corner)
    return np.asarray(left + (flat[1:].take(corner) - left) * x)


def _least_squares(
    basis: Float32[np.ndarray, "pairs k pixels"], target: Float32[np.ndarray, "pairs pixels"]
) -> Float32[np.ndarray, "pairs k"]:
    k = basis.shape[1]
    gram = basis @ basis.transpose(0, 2, 1)
    gram[:, range(k), range(k)] += RIDGE * np.trace(gram, axis1=1, axis2=2)[:, None] / k + 1e-6
    return np.asarray(np.linalg.solve(gram, basis @ target[..., None])[..., 0], dtype=np.float32)


def _border(h: int, w: int) -> int:
    return max(1, round(BORDER * min(h, w)))


def _scaled(matrix: Matrices, by: float) -> Matrices:
    """The same map at another resolution."""
    found = matrix.copy()
    found[:, :, 2] *= by
    return found


def _after(matrix: Matrices, step: Matrices) -> Matrices:
    """First 1 + `step`, then `matrix`."""
    linear = step[:, :, :2] + np.eye(2, dtype=np.float32)
    shift = matrix[:, :, :2] @ step[:, :, 2:] + matrix[:, :, 2:]
    return np.concatenate([matrix[:, :, :2] @ linear, shift], axis=2).astype(np.float32)


def _inverse(matrix: Matrices) -> Matrices:
    linear = matrix[:, :, :2]
    safe = np.where(np.abs(np.linalg.det(linear))[:, None, None] > 1e-3, linear, np.eye(2, dtype=np.float32))
    back = np.linalg.inv(safe)
    return np.concatenate([back, -back @ matrix[:, :, 2:]], axis=2).astype(np.float32)
