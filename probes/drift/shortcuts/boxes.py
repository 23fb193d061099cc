"""Marks in a fixed place: boxes in which a class's attribution concentrates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.patches import Box, candidate_boxes, in_box, sides
from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Rivals, Samples
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Boxes(Family):
    """Square boxes with sides of `sizes` (shares of the image's shorter side); place: top, left, side."""

    sizes: tuple[Rate, ...] = (0.1, 0.15, 0.2)

    name: ClassVar[str] = "boxes"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"
    rivals: ClassVar[Rivals] = "placed"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if seen.mass is None or min(seen.mass.shape[1:]) < 2:
            return ()
        found = [
            box
            for side in sides(seen.mass.shape[1:], self.sizes)
            for box in candidate_boxes(seen.mass, seen.labels, side)
        ]
        return tuple(Candidate(box.label, (float(box.top), float(box.left), float(box.side))) for box in found)

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        assert seen.mass is not None
        return in_box(seen.mass, box_of(candidate))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        patched = hosts.clone()
        where = (slice(None), slice(None), *box_of(candidate).place)
        patched[where] = donors.inputs[where]
        return patched

    def apart(self, one: Candidate, other: Candidate) -> bool:
        (top, left, side), (down, across, wide) = one.place, other.place
        return top + side <= down or down + wide <= top or left + side <= across or across + wide <= left

    def where(self, candidate: Candidate, names: Names) -> Text:
        top, left, side = map(int, candidate.place)
        values = {"top": top, "bottom": top + side - 1, "left": left, "right": left + side - 1}
        return Message("drift.at-box", {**values, "height": names.size[0], "width": names.size[1]})


def box_of(candidate: Candidate) -> Box:
    top, left, side = map(int, candidate.place)
    return Box(label=candidate.label, top=top, left=left, side=side)
