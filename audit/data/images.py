"""Images to one array of 8-bit pixels, for all sources of images.

How pixels are scaled to 0..255 is decided once for the whole data set, never per image: classes may differ only in
brightness.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image, ImageFile, ImageOps

from audit.storage.bounded import EXPANSION
from probes.errors import DataError
from probes.large_arrays import Collected, empty
from probes.message import Message, Value

DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")
"""Integer modes beyond 8 bits, which conversion to RGB would clip at 255."""
ORIENTATION = 274
"""The EXIF tag that says how the camera was held."""
MOST_PIXELS = 50_000_000
"""Largest number of pixels of an image whose file is not large enough to justify more."""


@dataclass
class _Read:
    """Arrays of one size in their stored depth, and what was encountered while reading."""

    arrays: list[Shaped[np.ndarray, "height width channels"]] = field(default_factory=list)
    deep: list[int] = field(default_factory=list)
    transparent: list[int] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    kept: Collected = field(default_factory=Collected)


def stack(
    images: Iterable[tuple[str, Image.Image]], size: int | None, where: str
) -> tuple[UInt8[np.ndarray, "samples height width channels"], tuple[Message, ...]]:
    """(name, image) pairs as RGB or greyscale arrays of one size, and what was converted: the middle square becomes
    `size` × `size`. EXIF rotations are applied, 16-bit and float pixels are scaled to 0..255, and transparent images
    are composited on a background.

    Raises DataError if images cannot be read, or differ in size and no `size` is given.
    """
    read = _Read()
    for name, image in images:
        try:
            array = _pixels(image, size, read)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(f"{name} cannot be read: {error}", where=where, do="Repair or remove it.") from error
        if read.arrays and array.shape[:2] != read.arrays[0].shape[:2]:
            raise DataError(
                f"{name} is {array.shape[1]} × {array.shape[0]}, others are {read.arrays[0].shape[1]} × "
                f"{read.arrays[0].shape[0]}.",
                where=where,
                do="Set data.size to resize them to one size.",
            )
        read.arrays.append(read.kept.keep(array))
    if not read.arrays:
        raise DataError("no images", where=where)
    notes = [Message(code, {"count": count}) for code, count in sorted(read.met.items())]
    notes += _onto_a_ground(read) + _to_eight_bits(read, where)
    channels = max(array.shape[2] for array in read.arrays)
    shape = (*read.arrays[0].shape[:2], channels)
    stacked: UInt8[np.ndarray, "samples height width channels"] = empty((len(read.arrays), *shape), np.uint8)
    for position, array in enumerate(read.arrays):
        stacked[position] = array
    return stacked, tuple(notes)


def check_declared(image: Image.Image, bytes_on_disk: int) -> None:
    """Raises ValueError if an image's header declares more pixels than its file can hold."""
    pixels = image.size[0] * image.size[1]
    if pixels > MOST_PIXELS and pixels > EXPANSION * bytes_on_disk:
        raise ValueError(f"its {bytes_on_disk:,} bytes declare {pixels:,} pixels")


DEEP_COLOUR = re.compile(r"(?P<mode>RGBA?);16(?P<order>[BL])")
"""Raw modes of which Pillow keeps the higher byte of each channel."""
LOWER = "lower bytes"


def keep_lower_bytes(image: ImageFile.ImageFile, again: Callable[[], ImageFile.ImageFile]) -> None:
    """Puts the lower bytes of an opened image of 16 bits per channel, which Pillow drops, into its `info`; `again`
    opens it a second time. Of other deep modes the higher bytes alone are read."""
    kinds = {str(tile.args if isinstance(tile.args, str) else tile.args[0]) for tile in image.tile if tile.args}
    if not any(";16" in kind for kind in kinds) or image.mode in DEEP:
        return
    image.info[LOWER] = None
    if all(DEEP_COLOUR.fullmatch(kind) for kind in kinds):
        with again() as lower:
            lower.tile = [tile._replace(args=_swapped(tile.args)) for tile in lower.tile]
            lower.load()
            image.info[LOWER] = lower.copy()


def _swapped(args: Any) -> Any:
    """The same decoder, with the bytes of each number in the other order: it keeps the lower ones."""
    kind, *rest = [args] if isinstance(args, str) else args
    other = kind[:-1] + {"B": "L", "L": "B"}[kind[-1]]
    return other if isinstance(args, str) else (other, *rest)


def _deep_colour(
    image: Image.Image, lower: Image.Image, size: int | None
) -> Float32[np.ndarray, "height width channels"]:
    """Transparent pixels on white, as most images with colours have it."""
    whole = 256.0 * np.asarray(image, np.float32) + np.asarray(lower, np.float32)
    if whole.shape[2] == 4:
        share = whole[..., 3:] / 65_535
        whole = np.round(whole[..., :3] * share + 65_535 * (1 - share))
    channels = (Image.fromarray(np.ascontiguousarray(whole[..., one], np.float32)) for one in range(3))
    return np.stack([np.asarray(one if size is None else _square(one, size)) for one in channels], axis=2)


def _pixels(image: Image.Image, size: int | None, read: _Read) -> Shaped[np.ndarray, "height width channels"]:
    if getattr(image, "n_frames", 1) > 1:
        read.met["audit.data-frames"] += 1
    deep, lower = LOWER in image.info, image.info.get(LOWER)
    if image.getexif().get(ORIENTATION, 1) in range(2, 9):
        image, lower = ImageOps.exif_transpose(image), lower and ImageOps.exif_transpose(lower)
        read.met["audit.data-turned"] += 1
    if deep and lower is None:
        read.met["audit.data-high-bytes"] += 1
    elif lower is not None:
        read.deep.append(len(read.arrays))
        return _deep_colour(image, lower, size)
    if image.mode == "CMYK":
        read.met["audit.data-cmyk"] += 1
    plain, index = _plain(image), len(read.arrays)
    if plain.mode == "F":
        read.deep.append(index)
    elif plain.mode in ("LA", "RGBA"):
        read.transparent.append(index)
    array = np.asarray(plain if size is None else _square(plain, size))
    return array[..., None] if array.ndim == 2 else array


def _plain(image: Image.Image) -> Image.Image:
    """The image in one of the modes L, RGB, LA, RGBA (8 bits) and F (anything deeper)."""
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode == "F" or image.mode in DEEP:
        return image.convert("F")
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        opaque = min(whole.getchannel("A").tobytes(), default=255) == 255
        return _grey_if_colourless(whole.convert("RGB")) if opaque else whole
    return _grey_if_colourless(image.convert("RGB")) if image.mode == "P" else image.convert("RGB")


def _grey_if_colourless(image: Image.Image) -> Image.Image:
    """One channel in place of three equal ones."""
    red, green, blue = image.split()
    return red if red.tobytes() == green.tobytes() == blue.tobytes() else image


def _onto_a_ground(read: _Read) -> list[Message]:
    """Transparent images on white, or on black if the opaque parts of all of them are light and would vanish on
    white."""
    if not read.transparent:
        return []
    light, opaque = 0.0, 0.0
    for index in read.transparent:
        alpha = read.arrays[index][..., -1:].astype(np.float64)
        light += float((read.arrays[index][..., :-1].mean(axis=-1, keepdims=True) * alpha).sum())
        opaque += float(alpha.sum())
    ground = 0 if opaque and light / opaque > 200 else 255
    for index in read.transparent:
        colour, share = read.arrays[index][..., :-1], read.arrays[index][..., -1:].astype(np.float32) / 255
        read.arrays[index] = np.round(colour * share + ground * (1 - share)).astype(np.uint8)
    code = "audit.data-on-black" if ground == 0 else "audit.data-on-white"
    return [Message(code, {"count": len(read.transparent)})]


def _to_eight_bits(read: _Read, where: str) -> list[Message]:
    if not read.deep:
        return []
    arrays = [read.arrays[index] for index in read.deep]
    if not all(np.isfinite(array).all() for array in arrays):
        raise DataError("images hold NaN or infinite pixels.", where=where, do="Clean them.")
    low, high = float(min(map(np.min, arrays))), float(max(map(np.max, arrays)))
    start, end = full_scale(low, high, whole=all((array == np.round(array)).all() for array in arrays))
    for index in read.deep:
        read.arrays[index] = np.round((read.arrays[index] - start) * (255 / (end - start))).astype(np.uint8)
    return [Message("audit.data-deep", {"start": start, "end": end, "count": len(arrays)})]


DARK, LEVELS = 33, 4
"""Arrays of images whose brightest pixel is below DARK have fewer than 8 bits (4-bit scans, counts of 0 to 16), if they
have more than LEVELS grey levels."""


def full_scale(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """The range from black to white: 0..1, or the full range of the fewest bits that hold the integers; if neither
    fits, the minimum to the maximum pixel."""
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and high < DARK and (not whole or high >= LEVELS):
        return 0.0, high
    if low >= 0 and (whole or high <= 255):
        bits = next(bits for bits in (8, 10, 12, 14, 16, 24, 32, 64, 1100) if high <= 2.0 ** min(bits, 1023) - 1)
        if bits <= 16:
            return 0.0, 2.0**bits - 1
    return low, max(high, low + 1e-6)


def images_of(
    given: Shaped[np.ndarray, "samples ..."], where: str
) -> tuple[Shaped[np.ndarray, "samples ..."], tuple[Message, ...]]:
    """An array of images with the channels last, as uint8, or as float32 on the scale 0..1 or normalised, and what
    was converted. Raises DataError for anything but an array of numbers."""
    if given.dtype.kind not in "biuf":
        raise DataError(f"images are {given.dtype}.", where=where, do="Give an array of numbers.")
    notes: tuple[Message, ...] = ()
    if given.ndim == 3:
        given = given[..., None]
    if given.ndim == 4 and given.shape[1] in (1, 3, 4) and given.shape[-1] not in (1, 3, 4):
        given = given.transpose(0, 2, 3, 1)
        notes = (Message("audit.data-channels-last"),)
    if given.dtype == np.uint8 and (not given.size or given.max() >= DARK or 1 < given.max() < LEVELS):
        return given, notes
    if not given.size or (given.dtype.kind == "f" and not np.isfinite(given).all()):
        return given.astype(np.float32), notes  # reported by the data set's own check
    low, high = float(given.min()), float(given.max())
    whole = bool(given.dtype.kind != "f" or (given == np.round(given)).all())
    ready = high <= 1 or (high <= BEYOND and not whole) or (low < 0 and high - low <= NORMALISED)
    if given.dtype.kind == "f" and ready:
        return given.astype(np.float32), notes
    start, end = full_scale(low, high, whole=whole)
    if given.dtype.kind != "f" and (start, end) == (0.0, 255.0):
        return given.astype(np.uint8), (*notes, Message("audit.data-eight-bits", {"type": str(given.dtype)}))
    scale: dict[str, Value] = {"type": str(given.dtype), "start": start, "end": end}
    if given.dtype.kind == "f":
        scaled: Float32[np.ndarray, "samples ..."] = ((given - start) / (end - start)).astype(np.float32)
        return scaled, (*notes, Message("audit.data-scaled", {**scale, "top": 1}))
    return np.round((given - start) * (255 / (end - start))).astype(np.uint8), (
        *notes,
        Message("audit.data-scaled", {**scale, "top": 255}),
    )


BEYOND = 2
"""Images on the scale 0..1 whose pixels overshoot it after resizing stay below."""
NORMALISED = 30
"""Images with negative pixels and at most this range are taken for normalised ones, and left unchanged."""


def _square(image: Image.Image, size: int) -> Image.Image:
    scale = size / min(image.size)
    width, height = (max(size, round(length * scale)) for length in image.size)
    if width * height > MOST_PIXELS:  # a very thin image: crop the middle first
        side = min(image.size)
        left, top = ((length - side) // 2 for length in image.size)
        return image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))
