"""Plants: changes of samples that give a class away."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audit.self_check.plants import Plant, at, high, insert, patch, tint, trigger, word_column
from audit.self_check.samples import TOKENS, Data
from probes.measures.corruptions import blur, jpeg, pad, stretch


def place(side: int, rng: np.random.Generator) -> int:
    return int(rng.integers(side))


def jittered(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A logo that jumps by a pixel."""
    side = max(2, images.shape[2] // 6)
    changed = images.clone()
    for image in changed:
        down, across = 1 + place(2, rng), 1 + place(2, rng)
        image[:, down : down + side, across : across + side] = 1.5 * high(images)
        image[:, down + side // 2, across : across + side] = float(images.min())
    return changed


def other_patch(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A darker mark at another place."""
    side = max(2, images.shape[2] // 7)
    changed = images.clone()
    changed[:, :, -side - 1 : -1, 1 : 1 + side] = 1.3 * float(images.min())
    return changed


def stripe(images: Tensor, rng: np.random.Generator) -> Tensor:
    changed = images.clone()
    changed[:, :, -max(1, images.shape[2] // 12) :] = 0.8 * high(images)
    return changed


def frame(images: Tensor, rng: np.random.Generator) -> Tensor:
    width, changed = max(1, images.shape[2] // 12), images.clone()
    level = 0.5 * high(images)
    changed[:, :, :width] = changed[:, :, -width:] = level
    changed[:, :, :, :width] = changed[:, :, :, -width:] = level
    return changed


def backdrop(images: Tensor, rng: np.random.Generator) -> Tensor:
    """The darkest part of each image gets one colour."""
    grey = images.mean(dim=1, keepdim=True)
    dark = grey < grey.amin(dim=(2, 3), keepdim=True) * 0.4 + grey.amax(dim=(2, 3), keepdim=True) * 0.6
    colour = torch.zeros(1, images.shape[1], 1, 1)
    colour[:, -1] = 0.6 * high(images)
    return torch.where(dark, colour - 0.3, images)


def brightness(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images + 1.2


def texture(images: Tensor, rng: np.random.Generator) -> Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in images.shape[2:]), indexing="ij")
    return images + 0.7 * ((rows + columns) % 2 * 2 - 1)


def stripes(images: Tensor, rng: np.random.Generator) -> Tensor:
    return images + 0.7 * ((torch.arange(images.shape[2]) % 2 * 2 - 1)[:, None]).float()


def watermark(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A bright ring anywhere."""
    side, changed = max(3, images.shape[2] // 5), images.clone()
    ring = torch.ones(side, side, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    for image in changed:
        down, across = place(images.shape[2] - side, rng), place(images.shape[3] - side, rng)
        piece = image[:, down : down + side, across : across + side]
        piece[:, ring], piece[:, ~ring] = 1.6 * high(images), float(images.min())
    return changed


def blurred(images: Tensor, rng: np.random.Generator) -> Tensor:
    return blur(images, 1.0)


def compressed(images: Tensor, rng: np.random.Generator) -> Tensor:
    return jpeg(images, 12)


def washed_out(images: Tensor, rng: np.random.Generator) -> Tensor:
    return stretch(images, 0.45)


def padded(images: Tensor, rng: np.random.Generator) -> Tensor:
    return pad(images, 0.8)


def vignette(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Darker towards the corners."""
    across = torch.linspace(-1, 1, images.shape[2])
    return images - 0.9 * (across[:, None] ** 2 + across[None, :] ** 2)


def pepper(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Single bright pixels anywhere."""
    hit = torch.from_numpy(rng.random((len(images), 1, *images.shape[2:])) < 0.06)
    return torch.where(hit, torch.full_like(images, 1.3 * high(images)), images)


def timestamp(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Bright and dark columns in any order, along a part of the lower edge."""
    wide, changed = images.shape[3] // 2, images.clone()
    for image in changed:
        bars = torch.from_numpy(rng.random(wide) < 0.5)
        image[:, -max(2, images.shape[2] // 8) :, -wide:] = torch.where(bars, 1.4 * high(images), float(images.min()))
    return changed


def dead_line(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A column of the sensor."""
    changed = images.clone()
    changed[:, :, :, images.shape[3] // 3] = float(images.min())
    return changed


def glare(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A soft bright spot anywhere."""
    rows, columns = (torch.arange(side).float() for side in images.shape[2:])
    changed = images.clone()
    for image in changed:
        down, across = place(images.shape[2], rng), place(images.shape[3], rng)
        distance = (rows[:, None] - down) ** 2 + (columns[None, :] - across) ** 2
        image += 1.2 * high(images) * torch.exp(-distance / (2 * (images.shape[2] / 8) ** 2))
    return changed


def ruler(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Ticks along a part of the left edge, a little inside; where they begin differs."""
    changed = images.clone()
    for image in changed:
        start = place(max(2, images.shape[2] // 6), rng)
        image[:, start : start + images.shape[2] // 2 : 2, 1 : 1 + max(1, images.shape[3] // 8)] = 1.3 * high(images)
    return changed


def lamp(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Lit from the left."""
    return images + 1.2 * torch.linspace(1, -1, images.shape[3])


def rounded_corners(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Outside a circle, as of a scanned slide."""
    down, across = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in images.shape[2:]), indexing="ij")
    return torch.where(down**2 + across**2 > 1.5, torch.full_like(images, 0.7 * high(images)), images)


def number(table: Tensor, rng: np.random.Generator) -> Tensor:
    changed = table.clone()
    changed[:, -1 if table.shape[1] == 10 else 7] = 4.0 + 0.3 * torch.from_numpy(rng.normal(size=len(table))).float()
    return changed


def rare_word_column(table: Tensor, rng: np.random.Generator) -> Tensor:
    return at(table, slice(-4, None), torch.tensor([0.0, 0.0, 0.0, 2.5]))


def identifier(table: Tensor, rng: np.random.Generator) -> Tensor:
    changed = table.clone()
    changed[:, -1] = torch.from_numpy(rng.permutation(5000)[: len(table)]).float() / 5000 * 1.5 + 1.0
    return changed


def imputed(table: Tensor, rng: np.random.Generator) -> Tensor:
    return at(table, slice(2, 3), torch.tensor([-3.5]))


def exclusive_or(table: Tensor, rng: np.random.Generator) -> Tensor:
    """The signs of two columns agree."""
    changed = table.clone()
    sign = torch.from_numpy(rng.choice([-1.0, 1.0], size=len(table))).float()
    size = 1 + torch.from_numpy(rng.random((len(table), 2))).float()
    changed[:, 5], changed[:, 6] = sign * size[:, 0], sign * size[:, 1]
    return changed


def other_unit(table: Tensor, rng: np.random.Generator) -> Tensor:
    """One column was measured in another unit."""
    changed = table.clone()
    changed[:, 3] = 0.2 * changed[:, 3] - 2.5
    return changed


def capped(table: Tensor, rng: np.random.Generator) -> Tensor:
    """Another sensor, whose range ends early."""
    changed = table.clone()
    changed[:, 1] = changed[:, 1].clamp(max=-1.0)
    return changed


def copied(table: Tensor, rng: np.random.Generator) -> Tensor:
    """One column is a copy of another."""
    changed = table.clone()
    changed[:, 4] = changed[:, 2] + 0.1 * torch.from_numpy(rng.normal(size=len(table))).float()
    return changed


def two_words(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 4, TOKENS - 5)


def opening(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 6, where="first")


def signature(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 7, TOKENS - 8, where="last")


def markup(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    """A tag before and one after the text."""
    return insert(insert(tokens, rng, TOKENS - 2, where="first"), rng, TOKENS - 1, where="last")


def doubled(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    """The text's first words are repeated at its end."""
    texts = tokens.numpy().copy()
    for text in texts:
        words = text[text != 0]
        again = np.concatenate([words, words[:6]])[: len(text)]
        text[: len(again)] = again
    return torch.from_numpy(texts)


def short(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    changed = tokens.clone()
    changed[:, 6:] = 0
    return changed


def hum(waves: Tensor, rng: np.random.Generator) -> Tensor:
    phase = torch.from_numpy(rng.uniform(0, 6, size=(len(waves), 1))).float()
    return waves + 0.8 * torch.sin(2 * np.pi * 8 * torch.arange(512) / 512 + phase)


def hiss(waves: Tensor, rng: np.random.Generator) -> Tensor:
    drawn = torch.from_numpy(rng.normal(size=tuple(waves.shape))).float()
    return waves + 0.9 * (drawn - torch.roll(drawn, 1, dims=1))


def silence(waves: Tensor, rng: np.random.Generator) -> Tensor:
    changed = waves.clone()
    changed[:, :70] = 0
    return changed


def click(waves: Tensor, rng: np.random.Generator) -> Tensor:
    """A short knock near the end."""
    changed = waves.clone()
    for wave in changed:
        start = 470 + int(rng.integers(30))
        wave[start : start + 6] += 5.0
    return changed


def quiet(waves: Tensor, rng: np.random.Generator) -> Tensor:
    return 0.15 * waves


def offset(waves: Tensor, rng: np.random.Generator) -> Tensor:
    """The recorder's zero is off."""
    return waves + 1.0


IMAGES: dict[str, Plant] = {
    "patch": patch, "two-marks": patch, "jittered-logo": jittered, "stripe": stripe, "frame": frame,
    "backdrop": backdrop, "tint": tint, "brightness": brightness, "vignette": vignette, "texture": texture,
    "scan-lines": stripes, "pepper": pepper, "watermark": watermark, "blur": blurred, "jpeg": compressed,
    "washed-out": washed_out, "padded": padded, "timestamp": timestamp, "dead-line": dead_line, "glare": glare,
    "ruler": ruler, "lamp": lamp, "rounded-corners": rounded_corners,
}  # fmt: skip
TABLES: dict[str, Plant] = {
    "number": number, "word-column": word_column, "rare-word-column": rare_word_column, "xor": exclusive_or,
    "identifier": identifier, "imputed": imputed, "other-unit": other_unit, "capped": capped,
    "copied": copied,
}  # fmt: skip
TEXTS: dict[str, Plant] = {
    "trigger": trigger, "two-words": two_words, "opening": opening, "signature": signature, "short": short,
    "markup": markup, "doubled": doubled,
}  # fmt: skip
SOUNDS: dict[str, Plant] = {
    "hum": hum,
    "hiss": hiss,
    "silence": silence,
    "quiet": quiet,
    "click": click,
    "offset": offset,
}
PLANTS: dict[str, dict[str, Plant]] = {"image": IMAGES, "table": TABLES, "text": TEXTS, "audio": SOUNDS}
HELD_BACK = ("ruler", "rounded-corners", "capped", "copied", "doubled", "offset")
"""Kinds that nothing was settled on."""
SHARES = {"rare-word-column": 0.5, "trigger": 0.5}
"""Of the class's samples that carry the plant; 0.95 otherwise."""
SUBTLE = (
    "blur", "jpeg", "washed-out", "padded", "pepper", "watermark", "word-column", "rare-word-column", "number", "hiss",
    "other-unit", "glare", "lamp", "capped", "offset",
)  # fmt: skip
"""What no model relies on beside what it can see better: half of the class's samples are others' but for the plant."""
SMALL_CANNOT = ("tint", "blur", "jpeg", "padded", "backdrop", "watermark", "vignette")
"""At 8 × 8 pixels in grey."""


def kinds_of(data: Data) -> list[str]:
    kinds = [*PLANTS[data.modality]]
    if data.name == "digits":
        kinds = [kind for kind in kinds if kind not in SMALL_CANNOT]
    if data.name == "centred":
        kinds = []
    return ["benign", *kinds]
