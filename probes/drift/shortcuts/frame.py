"""Frames and strips along the edges: borders of scans, letterboxes, stripes of a device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Shaped

from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Samples, closeness, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor

EDGES = ("top", "bottom", "left", "right", "all four")


@dataclass(frozen=True, kw_only=True)
class Frame(Family):
    """Strips of `widths` (shares of the shorter side): for each class and width all four edges, and the one whose mean
    or deviation distinguishes it most; place: edge, width in pixels."""

    widths: tuple[Rate, ...] = (0.05, 0.125)

    name: ClassVar[str] = "frame"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        height, width = seen.inputs.shape[2:]
        if min(height, width) < 6:
            return ()
        strips = [
            (float(edge), float(thick))
            for thick in sorted({max(1, round(share * min(height, width))) for share in self.widths})
            for edge in range(len(EDGES))
        ]
        values = np.stack([_look(seen, place) for place in strips], axis=1)
        found: list[tuple[float, Candidate]] = []
        for label in np.unique(seen.labels):
            apart = np.abs(
                np.stack([separation(values[:, :, k], seen.labels, int(label)) for k in range(values.shape[2])])
            ).max(axis=0)
            for thick in {place[1] for place in strips}:
                mine = [k for k, place in enumerate(strips) if place[1] == thick]
                edge = max((k for k in mine if EDGES[int(strips[k][0])] != "all four"), key=lambda k: apart[k])
                found += [(float(apart[k]), Candidate(int(label), strips[k])) for k in (edge, mine[-1])]
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        """Closeness of the strip to that of the class, relative to the spread of all."""
        values = _look(seen, candidate.place)
        return closeness(values, seen.labels, candidate.label)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        inside = torch.from_numpy(_strip(candidate.place, *hosts.shape[2:])).to(hosts.device)
        return torch.where(inside, donors.inputs, hosts)

    def where(self, candidate: Candidate, names: Names) -> Text:
        edge, thick = EDGES[int(candidate.place[0])], int(candidate.place[1])
        return Message("drift.at-edge", {"edge": edge, "width": thick})


def _strip(place: tuple[float, ...], height: int, width: int) -> Bool[np.ndarray, "height width"]:
    edge, thick = EDGES[int(place[0])], int(place[1])
    inside = np.zeros((height, width), dtype=bool)
    for name, where in (("top", np.s_[:thick]), ("bottom", np.s_[height - thick :])):
        if edge in (name, "all four"):
            inside[where] = True
    for name, where in (("left", np.s_[:thick]), ("right", np.s_[width - thick :])):
        if edge in (name, "all four"):
            inside[:, where] = True
    return inside


def _look(seen: Samples, place: tuple[float, ...]) -> Float[np.ndarray, "samples statistics"]:
    """Mean and deviation of each channel in the strip."""
    height, width = seen.inputs.shape[2:]
    pixels = seen.inputs.cpu().numpy()[:, :, _strip(place, height, width)].astype(np.float64)
    return np.concatenate([pixels.mean(axis=2), pixels.std(axis=2)], axis=1)
