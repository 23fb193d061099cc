"""Colour statistics: a tint, a brightness or a contrast of the whole image (channel means and deviations)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Samples, closeness, most_separated
from probes.evidence import Modality
from probes.message import Message, Text

if TYPE_CHECKING:
    from torch import Tensor

STATISTICS = ("mean", "mean and deviation")


@dataclass(frozen=True, kw_only=True)
class Colour(Family):
    """The host's channel means, or means and deviations, are set to the donor's (Reinhard et al. 2001); place:
    which."""

    name: ClassVar[str] = "colour"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        values = _statistics(seen)
        order = most_separated(values, seen.labels)
        return tuple(Candidate(label, (float(which),)) for label in order for which in range(len(STATISTICS)))

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        """Closeness of the statistics to the class's median."""
        values = _statistics(seen)
        return closeness(values, seen.labels, candidate.label)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        axes = (2, 3)
        centred = hosts - hosts.mean(dim=axes, keepdim=True)
        if candidate.place[0] == 1:
            own, theirs = (
                images.std(dim=axes, keepdim=True, correction=0).clamp(min=1e-6) for images in (hosts, donors.inputs)
            )
            centred = centred * (theirs / own)
        return centred + donors.inputs.mean(dim=axes, keepdim=True)

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-colour", {"statistic": STATISTICS[int(candidate.place[0])]})


def _statistics(seen: Samples) -> Float[np.ndarray, "samples statistics"]:
    images = seen.inputs.cpu().numpy().astype(np.float64)
    return np.concatenate([images.mean(axis=(2, 3)), images.std(axis=(2, 3))], axis=1)
