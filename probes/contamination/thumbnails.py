"""Thumbnails: versions of images that hardly depend on brightness, compression or a shift by a pixel."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from probes.contamination.nearest_neighbours import unit
from probes.large_arrays import empty, parts

SIDE = 7
LARGE = 64


def reduced(images: Shaped[np.ndarray, "samples height width channels"]) -> Shaped[np.ndarray, "samples h w channels"]:
    """In float32, as block means if a side is longer than LARGE pixels. Bytes that need no reduction stay bytes, unless
    they are `tiny`: a copy would take four times their memory."""
    block = reduction(max(images.shape[1:3]))
    return images if block == 1 and images.dtype == np.uint8 and not tiny(images) else block_mean(images, block)


def chosen(
    images: Shaped[np.ndarray, "samples h w channels"], samples: Int64[np.ndarray, " chosen"]
) -> Float32[np.ndarray, "chosen h w channels"]:
    """A copy of some of the reduced images, in float32."""
    return np.asarray(images[samples], dtype=np.float32)


def reduction(side: int) -> int:
    """How many pixels of an image whose longer side is `side` form one pixel of the reduced image, down and
    across."""
    return -(-side // LARGE)


def block_mean(
    images: Shaped[np.ndarray, "samples height width channels"], block: int
) -> Float32[np.ndarray, "samples h w channels"]:
    """Means over squares of `block` pixels; incomplete squares are cropped."""
    n, height, width, channels = images.shape
    h, w = height // block, width // block
    if block == 1 and images.dtype == np.float32:
        return images
    found = empty((n, h, w, channels), np.float32)
    for part in parts(n, height * width * channels):
        cut = images[part, : h * block, : w * block]
        if block > 1:
            # Whole rows first, then columns: a mean over both axes at once is ten times slower.
            rows = cut.reshape(-1, h, block, w * block * channels).sum(axis=2, dtype=np.float32)
            rows = rows.reshape(-1, h, w, block, channels)
            cut = functools.reduce(np.add, (rows[:, :, :, column] for column in range(block))) / block**2
        found[part] = cut
    return found


def thumbnails(images: Shaped[np.ndarray, "samples h w channels"]) -> Float32[np.ndarray, "samples features"]:
    """About SIDE × SIDE block means minus their mean, scaled to unit length: an affine change of brightness has no
    effect. An image of one colour is zero. Without the border, which is padding if an image was shifted."""
    inside = images[:, 1:-1, 1:-1]
    small = block_mean(inside, max(1, min(inside.shape[1:3]) // SIDE)).reshape(len(images), -1)
    return unit(small - small.mean(axis=1, keepdims=True))


def whole(images: Float32[np.ndarray, "samples h w channels"]) -> Float32[np.ndarray, "samples features"]:
    """All greyscale pixels minus their mean, scaled to unit length: for images so small that the border is half of
    them."""
    grey = images.mean(axis=-1).reshape(len(images), -1)
    return unit(grey - grey.mean(axis=1, keepdims=True))


def variants(
    images: Float32[np.ndarray, "samples h w channels"],
) -> Iterator[Float32[np.ndarray, "samples features"]]:
    """Thumbnails, upright and flipped; for small images also under all shifts by one pixel."""
    near = (-1, 0, 1) if tiny(images) else (0,)
    for picture in (images, images[:, :, ::-1]):
        for dy, dx in itertools.product(near, near):
            slices = parts(len(picture), picture[:1].size)
            yield np.concatenate([thumbnails(shifted(picture[part], dy, dx)) for part in slices])


def tiny(images: Shaped[np.ndarray, "samples h w channels"]) -> bool:
    """Whether a pixel of the thumbnail covers at most three of the image's, so that a shift by one changes it
    much."""
    return bool(min(images.shape[1:3]) // SIDE <= 3)


def shifted(
    images: Float32[np.ndarray, "samples h w channels"], dy: int, dx: int
) -> Float32[np.ndarray, "samples h w channels"]:
    """Shifted by dy and dx of −1, 0, 1; the border is repeated."""
    h, w = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    return padded[:, 1 - dy : 1 - dy + h, 1 - dx : 1 - dx + w]
