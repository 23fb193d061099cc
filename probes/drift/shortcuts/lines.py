"""Lines across the inside of an image: a dead row or column of a sensor, a fold, a scratch of a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Rivals, Samples, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor

DIRECTIONS = ("rows", "columns")


@dataclass(frozen=True, kw_only=True)
class Lines(Family):
    """For each class and width (one pixel, and `width` of the shorter side) the rows and the columns whose mean or
    deviation sets it apart most; place: direction, first, and one past the last."""

    width: Rate = 0.05

    name: ClassVar[str] = "lines"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    rivals: ClassVar[Rivals] = "placed"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        side = min(seen.inputs.shape[2:])
        if side < 6:
            return ()
        images = seen.inputs.cpu().numpy().astype(np.float64)
        found: list[tuple[float, Candidate]] = []
        for direction in range(len(DIRECTIONS)):
            for width in sorted({1, max(1, round(self.width * side))}):
                values = _look(images, direction, width)
                for label in np.unique(seen.labels):
                    apart = np.abs(np.stack([separation(one, seen.labels, int(label)) for one in values])).max(axis=0)
                    first = int(np.argmax(apart))
                    place = (float(direction), float(first), float(first + width))
                    found.append((float(apart[first]), Candidate(int(label), place)))
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        direction, first, end = map(int, candidate.place)
        where = (..., slice(first, end), slice(None)) if direction == 0 else (..., slice(first, end))
        changed = hosts.clone()
        changed[where] = donors.inputs[where]
        return changed

    def apart(self, one: Candidate, other: Candidate) -> bool:
        (direction, first, end), (turned, start, past) = one.place, other.place
        return direction == turned and (end <= start or past <= first)

    def where(self, candidate: Candidate, names: Names) -> Text:
        direction, first, end = map(int, candidate.place)
        return Message("drift.at-lines", {"direction": DIRECTIONS[direction], "first": first, "last": end - 1})


def _look(
    images: Float[np.ndarray, "samples channels height width"], direction: int, width: int
) -> Float[np.ndarray, "statistics samples lines"]:
    """Mean and deviation of each channel over so many neighbouring rows or columns."""
    along = np.moveaxis(images, 2 + direction, 3)
    runs = np.lib.stride_tricks.sliding_window_view(along, width, axis=3)
    each = np.concatenate([runs.mean(axis=(2, 4)), runs.std(axis=(2, 4))], axis=1)
    return np.moveaxis(each, 1, 0)
