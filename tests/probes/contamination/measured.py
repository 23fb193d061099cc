"""Recall and precision on planted copies of real images, as rows of docs/overfitting.md.

    python -m tests.probes.contamination.measured [FILE.npz ...]

Digits and photographs are embedded; a file holds uint8 images [samples height width channels] as `images` or
`train_images`. Copies that a data set has without planting are counted apart: images that were found so are left out
of the planted runs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from probes.contamination.near_pictures import near_pictures
from tests.probes.contamination.planted import FAR, NEAR, Change, equal, photographs, plant

SHARES = (0.01, 0.05, 0.2)
KINDS: dict[str, Change] = {"exact": equal, **NEAR, **FAR}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Held-out images, over all runs."""

    planted: int
    found: int
    hits: int

    @property
    def recall(self) -> float:
        return self.hits / self.planted

    @property
    def precision(self) -> float:
        return self.hits / max(1, self.found)


def digit_images() -> np.ndarray:
    """uint8 [1797 8 8 1]."""
    return np.asarray(np.round(load_digits().images * (255 / 16)), dtype=np.uint8)[..., None]


def without_copies(images: np.ndarray) -> tuple[np.ndarray, int]:
    """The images less those found to be a copy of an earlier one, and how many those are."""
    found = near_pictures(images, None, np.random.default_rng(0))
    rest = np.ones(len(images), dtype=bool)
    rest[found.other] = False
    return images[rest], int((~rest).sum())


def measure(images: np.ndarray, kind: str, share: float, runs: int) -> Counts:
    """Half of the images are members; `share` of the others become changed copies of members."""
    planted = found = hits = 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, round(1000 * share)])
        member = rng.permutation(len(images)) < len(images) // 2
        changed, _, where = plant(images, member, share, KINDS[kind], rng)
        near = near_pictures(changed, None, rng)
        across = member[near.one] != member[near.other]
        told = np.unique(np.concatenate([near.one[across], near.other[across]]))
        told = told[~member[told]]
        planted, found, hits = planted + len(where), found + len(told), hits + len(np.intersect1d(told, where))
    return Counts(planted=planted, found=found, hits=hits)


def rows(name: str, images: np.ndarray, runs: int) -> Iterator[str]:
    rest, copies = without_copies(images)
    yield f"{name}: {len(images)} images, {copies} of them copies before planting"
    for kind in KINDS if rest.shape[-1] == 3 else ("exact", *NEAR):
        for share in SHARES:
            one = measure(rest, kind, share, runs)
            yield f"| {name} | {kind} | {share:.0%} | {one.planted} | {one.recall:.1%} | {one.precision:.1%} |"


def stored(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        return np.asarray(file["images" if "images" in file else "train_images"])


def main() -> None:
    data = {"digits, 8 px": digit_images(), "photographs, 32 px": photographs()}
    data |= {Path(path).stem: stored(Path(path)) for path in sys.argv[1:]}
    print("| images | copies | share planted | planted | recall | precision |\n| --- | --- | --- | --- | --- | --- |")
    for name, images in data.items():
        for row in rows(name, images, runs=3 if len(images) > 1000 else 10):
            print(row, flush=True)


if __name__ == "__main__":
    main()
