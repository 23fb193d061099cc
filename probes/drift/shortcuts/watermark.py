"""Marks without a fixed place: the region at a sample's own attribution peak, inserted anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.patches import box_sums, sides
from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Rivals, Samples
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Watermark(Family):
    """The box with sides of `sizes` (shares of the shorter side) at the donor's own peak, inserted at a random position
    of the host: there, a piece of an object has little effect, but a watermark as much as anywhere. Place: side in
    pixels."""

    sizes: tuple[Rate, ...] = (0.2, 0.3)

    name: ClassVar[str] = "watermark"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"
    attributed: ClassVar[bool] = True
    rivals: ClassVar[Rivals] = "strongest"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if seen.mass is None or min(seen.mass.shape[1:]) < 6:
            return ()
        found: list[tuple[float, Candidate]] = []
        for side in sides(seen.mass.shape[1:], self.sizes):
            peak = box_sums(seen.mass, side).max(axis=(1, 2))
            for label in np.unique(seen.labels):
                mine = peak[seen.labels == label]
                found.append((float(mine.mean() / max(peak.mean(), 1e-12)), Candidate(int(label), (float(side),))))
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        assert seen.mass is not None
        return np.asarray(box_sums(seen.mass, int(candidate.place[0])).max(axis=(1, 2)))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        side = int(candidate.place[0])
        height, width = hosts.shape[2:]
        assert donors.mass is not None
        sums = box_sums(donors.mass, side)
        patched = hosts.clone()
        for i, sum_ in enumerate(sums):
            top, left = np.unravel_index(int(np.argmax(sum_)), sum_.shape)
            down, across = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            piece = donors.inputs[i, :, top : top + side, left : left + side]
            patched[i, :, down : down + side, across : across + side] = piece
        return patched

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-any-place", {"side": int(candidate.place[0])})
