"""Pictures to one array: what image sources share."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from probes.errors import DataError


def stack(
    pictures: Iterable[tuple[str, Image.Image]], size: int | None, where: str
) -> UInt8[np.ndarray, "samples height width channels"]:
    """(name, picture) pairs as RGB or grey arrays of one size: the shorter side becomes `size`, then the middle square.

    Raises DataError where pictures cannot be read, or differ in size and no `size` is given.
    """
    arrays: list[UInt8[np.ndarray, "height width channels"]] = []
    for name, picture in pictures:
        try:
            plain = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
            array = np.asarray(plain if size is None else _square(plain, size))
        except (OSError, ValueError) as error:
            raise DataError(f"{name} cannot be read: {error}", where=where, do="Repair or remove it.") from error
        array = array[..., None] if array.ndim == 2 else array
        if arrays and array.shape[:2] != arrays[0].shape[:2]:
            raise DataError(
                f"{name} is {array.shape[1]} × {array.shape[0]}, others are {arrays[0].shape[1]} × "
                f"{arrays[0].shape[0]}.",
                where=where,
                do="Set data.size to bring them to one size.",
            )
        arrays.append(array)
    if not arrays:
        raise DataError("no pictures", where=where)
    channels = max(array.shape[2] for array in arrays)
    return np.stack([np.broadcast_to(array, (*array.shape[:2], channels)) for array in arrays])


def _square(picture: Image.Image, size: int) -> Image.Image:
    scale = size / min(picture.size)
    width, height = (max(size, round(length * scale)) for length in picture.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))
