"""Real photographs cut into small images, with copies planted among them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

SIDE = 32


def photographs(least_detail: float = 4.0) -> np.ndarray:
    """uint8 [samples 32 32 3]: pieces of two photographs that do not overlap, without the plain sky."""
    pieces = [
        image[top : top + SIDE, left : left + SIDE]
        for image in load_sample_images().images
        for top in range(0, image.shape[0] - SIDE + 1, SIDE)
        for left in range(0, image.shape[1] - SIDE + 1, SIDE)
    ]
    stacked = np.stack(pieces)
    steps = np.abs(np.diff(stacked.mean(axis=-1), axis=1)).mean(axis=(1, 2))
    return stacked[steps >= least_detail]


def small_photographs(side: int) -> np.ndarray:
    """The same pieces, shrunk."""
    shrunk = [Image.fromarray(piece).resize((side, side), Image.Resampling.BOX) for piece in photographs()]
    return np.stack([np.asarray(one) for one in shrunk])


def mirrored(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return picture[:, ::-1]


def moved(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    dy, dx = [(0, 1), (1, 0), (-1, 0), (0, -1), (1, -1)][rng.integers(5)]
    h, w = picture.shape[:2]
    return np.pad(picture, ((1, 1), (1, 1), (0, 0)))[1 + dy : h + 1 + dy, 1 + dx : w + 1 + dx]


def compressed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    buffer = io.BytesIO()
    grey = picture.shape[-1] == 1
    Image.fromarray(picture[..., 0] if grey else picture).save(buffer, "JPEG", quality=75)
    return np.asarray(Image.open(buffer)).reshape(picture.shape)


def brightened(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(picture * rng.choice([0.7, 0.85, 1.15, 1.3]), 0, 255).astype(np.uint8)


def moved_far(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 2 to 4 pixels of 32, with a black border."""
    h, w = picture.shape[:2]
    by = rng.integers(2, 5, 2) * rng.choice([-1, 1], 2) * (rng.random(2) < 0.8)
    down, across = (round(int(one) * h / 32) for one in by)
    border = max(abs(down), abs(across))
    padded = np.pad(picture, ((border, border), (border, border), (0, 0)))
    return padded[border + down : border + down + h, border + across : border + across + w]


def cropped(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 5 to 10 % of the side, anywhere, and enlarged to the same size."""
    h, w = picture.shape[:2]
    kept = 1 - rng.uniform(0.05, 0.10)
    top, left = rng.uniform(0, h * (1 - kept)), rng.uniform(0, w * (1 - kept))
    box = (left, top, left + w * kept, top + h * kept)
    return np.asarray(Image.fromarray(picture).resize((w, h), Image.Resampling.BILINEAR, box=box))


def turned(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 3 to 10 degrees, with black corners."""
    degrees = rng.uniform(3, 10) * rng.choice([-1, 1])
    return np.asarray(Image.fromarray(picture).rotate(degrees, Image.Resampling.BILINEAR))


def other_hue(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 5 to 20 % of the circle."""
    colours = np.array(Image.fromarray(picture).convert("HSV"))
    by = round(255 * rng.uniform(0.05, 0.2) * rng.choice([-1, 1]))
    colours[..., 0] = (colours[..., 0].astype(np.int64) + by) % 256
    return np.asarray(Image.fromarray(colours, "HSV").convert("RGB"))


def greyed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[..., None], 3, axis=-1)


def equal(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return picture


Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
NEAR: Mapping[str, Change] = {
    "mirrored": mirrored,
    "moved": moved,
    "compressed": compressed,
    "brightened": brightened,
}
FAR: Mapping[str, Change] = {
    "moved 2–4 px": moved_far,
    "cropped 5–10 %": cropped,
    "turned 3–10°": turned,
    "other hue": other_hue,
    "grey": greyed,
}
"""Of coloured images of 28 px or more."""


def plant(
    pictures: np.ndarray, member: np.ndarray, share: float, change: Change, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Replace a share of the held-out images by changed copies of members: (images, sources, targets)."""
    held_out = np.flatnonzero(~member)
    where = rng.choice(held_out, max(1, round(share * len(held_out))), replace=False)
    whom = rng.choice(np.flatnonzero(member), len(where), replace=False)
    planted = pictures.copy()
    for target, source in zip(where, whom, strict=True):
        planted[target] = change(pictures[source], rng)
    return planted, whom, where
