"""Pixel maps as data URIs: images as they are, signed maps in two diverging colours."""

from __future__ import annotations

import base64
import io

import numpy as np
from jaxtyping import Int8, UInt8
from PIL import Image

LARGEST, KEPT = 160, 64
"""Side lengths in pixels: larger images are reduced; those that are not small are compressed as photographs."""
QUALITY = 80
FOR, AGAINST = np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0])
"""The ends of ColorBrewer's RdBu: distinguishable with every kind of colour vision."""


def uri(picture: UInt8[np.ndarray, "height width channels"] | Int8[np.ndarray, "height width"]) -> str:
    """Pixels or a signed map as a data URI. Small images keep their pixels (PNG: the
    page enlarges them without smoothing); large ones are reduced to LARGEST pixels a side, photographs to JPEG."""
    image = Image.fromarray(signed(picture) if picture.dtype == np.int8 else _rgb(picture))
    image.thumbnail((LARGEST, LARGEST))
    if picture.dtype == np.int8 or picture.shape[-1] == 1:
        image = image.quantize(64) if picture.dtype == np.int8 else image.convert("L")
    data = io.BytesIO()
    photograph = picture.dtype != np.int8 and max(image.size) > KEPT
    if photograph:
        image.save(data, format="JPEG", quality=QUALITY, optimize=True)
    else:
        image.save(data, format="PNG", optimize=True)
    return f"data:image/{'jpeg' if photograph else 'png'};base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _rgb(picture: UInt8[np.ndarray, "height width ..."]) -> UInt8[np.ndarray, "height width 3"]:
    image = picture if picture.ndim == 3 else picture[..., None]
    return np.ascontiguousarray(np.repeat(image[..., :1], 3, axis=2) if image.shape[2] < 3 else image[..., :3])


def signed(picture: Int8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """int8 [height width]: white is zero, red towards +127, blue towards −127."""
    value = picture.astype(np.float64) / 127
    strength = np.minimum(np.abs(value), 1.0)[..., None]
    colour = np.where(value[..., None] > 0, FOR, AGAINST)
    return np.asarray(np.round(255 * (1 - strength) + colour * strength), dtype=np.uint8)
