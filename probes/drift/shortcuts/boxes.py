"""Marks in a fixed place: boxes in which a class's attribution concentrates."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.patches import Box, box_sums, candidate_boxes, in_box, sides
from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Rivals, Samples
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor


LOCKED = 0.5
"""Largest share of a class's other peaks in one place for them to be an object rather than another mark."""


@dataclass(frozen=True, kw_only=True)
class Boxes(Family):
    """Square boxes with sides of `sizes` (shares of the image's shorter side); place: top, left, side. As natural
    evidence also the box at each donor's own attribution peak; place: side, then top, left and side of the box that it
    must not overlap, if any."""

    sizes: tuple[Rate, ...] = (0.1, 0.15, 0.2)

    name: ClassVar[str] = "boxes"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"
    attributed: ClassVar[bool] = True
    rivals: ClassVar[Rivals] = "placed"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if seen.mass is None or min(seen.mass.shape[1:]) < 2:
            return ()
        each = [candidate_boxes(seen.mass, seen.labels, side) for side in sides(seen.mass.shape[1:], self.sizes)]
        # In turn: boxes of one size must not keep the others from being tried.
        found = [box for turn in itertools.zip_longest(*each) for box in turn if box is not None]
        return tuple(Candidate(box.label, (float(box.top), float(box.left), float(box.side))) for box in found)

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        assert seen.mass is not None
        if len(candidate.place) != 3:
            return np.asarray(_outside(seen, candidate).max(axis=(1, 2)))
        return in_box(seen.mass, box_of(candidate))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        patched = hosts.clone()
        if len(candidate.place) != 3:
            side = int(candidate.place[0])
            for i, (top, left) in enumerate(_peaks(donors, candidate)):
                piece = (i, slice(None), slice(top, top + side), slice(left, left + side))
                patched[piece] = donors.inputs[piece]
            return patched
        where = (slice(None), slice(None), *box_of(candidate).place)
        patched[where] = donors.inputs[where]
        return patched

    def apart(self, one: Candidate, other: Candidate) -> bool:
        (top, left, side), (down, across, wide) = one.place, other.place
        return top + side <= down or down + wide <= top or left + side <= across or across + wide <= left

    def unplaced(self, candidate: Candidate, label: int, giving: Samples) -> Candidate | None:
        side = candidate.place[-1]
        if label != candidate.label:
            return Candidate(label, (side,))
        own = Candidate(label, (side, *candidate.place))
        peaks = _peaks(giving.at(np.flatnonzero(giving.labels == label)), own)
        overlap = (np.abs(peaks[:, None] - peaks[None]) < side).all(axis=2).mean(axis=1)
        return None if not len(peaks) or overlap.max() > LOCKED else own

    def where(self, candidate: Candidate, names: Names) -> Text:
        top, left, side = map(int, candidate.place)
        values = {"top": top, "bottom": top + side - 1, "left": left, "right": left + side - 1}
        return Message("drift.at-box", {**values, "height": names.size[0], "width": names.size[1]})


def _outside(seen: Samples, candidate: Candidate) -> Float[np.ndarray, "samples tops lefts"]:
    """Attribution in every box of the side, 0 in those that overlap the box to be left out."""
    assert seen.mass is not None
    side = int(candidate.place[0])
    sums = box_sums(seen.mass, side)
    if len(candidate.place) > 1:
        top, left = map(int, candidate.place[1:3])
        sums[:, max(0, top - side + 1) : top + side, max(0, left - side + 1) : left + side] = 0
    return sums


def _peaks(donors: Samples, candidate: Candidate) -> Int[np.ndarray, "donors 2"]:
    """Top and left of the box of each donor that has most of its attribution."""
    sums = _outside(donors, candidate)
    best = sums.reshape(len(sums), -1).argmax(axis=1)
    return np.stack(np.unravel_index(best, sums.shape[1:]), axis=1)


def box_of(candidate: Candidate) -> Box:
    top, left, side = map(int, candidate.place)
    return Box(label=candidate.label, top=top, left=left, side=side)
