"""Near copies among images: CPU time and memory against their number, planted copies found, and all other pairs.

    python benchmarks/images_search.py [--samples 12500 50000 200000] [--side 64] [--originals FILE.npz]

Images are blends of two of a thousand "dead leaves" images (discs that hide one another, of sizes by a power law, with
statistics like those of photographs: Lee, Mumford & Huang 2001), each cropped and mirrored at random. No two images are
of the same two, so any pair that was not planted is false, though each image shares half of what it shows with hundreds
of others: `sharing` counts false pairs that share one of their two, `other` all false pairs. With a file, its `images`
(uint8 [images height width 3], of the side or larger) are blended instead. Each number of samples is a process of its
own; memory is what no file backs.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping
from json import dumps
from pathlib import Path

import numpy as np
from figures import arguments, at_sizes, of_search, publish
from PIL import Image
from setting import Peak

from probes.contamination.near_pictures import near_pictures
from probes.large_arrays import empty

ORIGINALS, LEAVES, EACH = 1000, 250, 100
"""Images that are blended, discs in each, and copies of each kind."""
CHUNK = 1000
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def dead_leaves(side: int, rng: np.random.Generator) -> np.ndarray:
    """float32 [side side 3]."""
    down, across = np.mgrid[:side, :side]
    image = np.zeros((side, side, 3), dtype=np.float32)
    # The density of radii falls with their third power; the last disc lies on top.
    least, most = side / 24, side / 5
    radii = (least**-2 - rng.random(LEAVES) * (least**-2 - most**-2)) ** -0.5
    for radius, (y, x), colour in zip(radii, rng.random((LEAVES, 2)) * side, rng.random((LEAVES, 3)), strict=True):
        image[(down - y) ** 2 + (across - x) ** 2 < radius**2] = colour
    shade = 0.2 * (rng.normal() * down + rng.normal() * across)[..., None] / side
    return np.clip(image + shade + 0.03 * rng.standard_normal(image.shape), 0, 1).astype(np.float32)


def originals_of(side: int, file: Path | None, rng: np.random.Generator) -> np.ndarray:
    """float32 [originals large large 3], in [0, 1]."""
    if file is None:
        return np.stack([dead_leaves(side * 3 // 2, rng) for _ in range(ORIGINALS)])
    with np.load(file, allow_pickle=False) as given:
        return np.asarray(given["images"], dtype=np.float32) / 255


def blends(samples: int, side: int, originals: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [samples side side 3], and the numbers of the two originals of each, [2 samples]."""
    large, count = originals.shape[1], len(originals)
    blended = np.stack(np.triu_indices(count, 1))[:, rng.permutation(count * (count - 1) // 2)[:samples]]
    found = empty((samples, side, side, 3), np.uint8)
    window = np.arange(side)

    def mirrored_or_not(numbers: np.ndarray) -> np.ndarray:
        return np.where(rng.random(len(numbers))[:, None] < 0.5, window, window[::-1])

    for start in range(0, samples, CHUNK):
        both = blended[:, start : start + CHUNK]
        share = rng.uniform(0.4, 0.6, both.shape[1])
        one, other = (
            originals[
                numbers[:, None, None],
                (rng.integers(0, max(1, large - side), len(numbers))[:, None] + window)[:, :, None],
                (rng.integers(0, max(1, large - side), len(numbers))[:, None] + mirrored_or_not(numbers))[:, None, :],
            ]
            for numbers in both
        )
        share = share[:, None, None, None].astype(np.float32)
        found[start : start + CHUNK] = 255 * (share * one + (1 - share) * other)
    return found, blended


def mirrored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image[:, ::-1]


def moved(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By up to an eighth of the side, with a black border."""
    most = len(image) // 8
    down, across = rng.integers(1, most + 1, 2) * rng.choice([-1, 1], 2)
    padded = np.pad(image, ((most, most), (most, most), (0, 0)))
    return padded[most + down :, most + across :][: len(image), : len(image)]


def cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 5 to 10 % of the side, and enlarged again."""
    side = len(image)
    kept = side * (1 - rng.uniform(0.05, 0.1))
    top, left = rng.uniform(0, side - kept, 2)
    box = (left, top, left + kept, top + kept)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box=box))


def turned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By 3 to 10 degrees, with black corners."""
    degrees = rng.uniform(3, 10) * rng.choice([-1, 1])
    return np.asarray(Image.fromarray(image).rotate(degrees, Image.Resampling.BILINEAR))


def brightened(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(image * rng.choice([0.7, 0.85, 1.15, 1.3]), 0, 255).astype(np.uint8)


def compressed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=75)
    return np.asarray(Image.open(buffer))


KINDS: Mapping[str, Change] = {one.__name__: one for one in (mirrored, moved, cropped, turned, brightened, compressed)}


def point(samples: int, side: int, file: Path | None, json: Path) -> None:
    """The last samples are copies of the first ones."""
    rng = np.random.default_rng(0)
    images, blended = blends(samples, side, originals_of(side, file, rng), rng)
    planted = {}
    for number, change in enumerate(np.repeat(np.array(list(KINDS)), EACH).tolist()):
        images[samples - 1 - number] = KINDS[change](images[number], rng)
        planted[number, samples - 1 - number] = change
        blended[:, samples - 1 - number] = blended[:, number]
    with Peak() as peak:
        begun, before = peak.own, time.process_time()
        near = near_pictures(images, None, np.random.default_rng(0))
    spent = time.process_time() - before
    found = [planted.get(pair, "other") for pair in zip(near.one.tolist(), near.other.tolist(), strict=True)]
    told = {"spent": spent, "above": (peak.own - begun) / 1e6, "candidates": near.looked_at}
    shared = (blended[:, None, near.one] == blended[None, :, near.other]).any(axis=(0, 1))
    told["sharing"] = sum(kind == "other" for kind, same in zip(found, shared.tolist(), strict=True) if same)
    json.write_text(dumps(told | {kind: found.count(kind) for kind in (*KINDS, "other")}), encoding="utf-8")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[12_500, 50_000, 200_000])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--originals", type=Path, metavar="FILE.npz")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        point(given.samples[0], given.side, given.originals, given.json)
        return
    file = {} if given.originals is None else {"originals": given.originals}
    found = at_sizes(__file__, given.samples, side=given.side, **file)
    what = f"near copies among {max(found)} images of {given.side} × {given.side}"
    publish(of_search(what, found, tuple(KINDS), EACH), given.json)


if __name__ == "__main__":
    main()
