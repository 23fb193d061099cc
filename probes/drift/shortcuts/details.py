"""Fine details wherever they are: specks, dead pixels, scratches, small print over the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Rivals, Samples, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Positive

if TYPE_CHECKING:
    from torch import Tensor

SIGNS = ("bright", "dark")


@dataclass(frozen=True, kw_only=True)
class Details(Family):
    """Pixels that are brighter, or darker, than the median of five in their row or of five in their column by more than
    one of `beyond` times their image's contrast; the host takes the donor's there. Place: which of the two, and how
    many times."""

    beyond: tuple[Positive, ...] = (1.0, 2.0)

    name: ClassVar[str] = "details"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    rivals: ClassVar[Rivals] = "strongest"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if min(seen.inputs.shape[2:]) < 6:
            return ()
        images = seen.inputs.cpu().numpy()
        places = [(float(which), beyond) for which in range(len(SIGNS)) for beyond in self.beyond]
        share = np.stack([standing_out(images, place).mean(axis=(1, 2)) for place in places], axis=1)
        found = [
            (float(apart), Candidate(int(label), place))
            for label in np.unique(seen.labels)
            for place, apart in zip(places, separation(share, seen.labels, int(label)), strict=True)
        ]
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        fine = torch.from_numpy(standing_out(donors.inputs.cpu().numpy(), candidate.place)).to(hosts.device)
        return torch.where(fine[:, None], donors.inputs, hosts)

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-details", {"sign": SIGNS[int(candidate.place[0])]})


def standing_out(
    images: Float[np.ndarray, "samples channels height width"], place: tuple[float, ...]
) -> Bool[np.ndarray, "samples height width"]:
    which, beyond = place
    grey = images.mean(axis=1) * (1 if SIGNS[int(which)] == "bright" else -1)
    contrast = grey.std(axis=(1, 2), keepdims=True)
    across, down = (grey - _median_of_five(grey, axis) > beyond * contrast for axis in (2, 1))
    return np.asarray(across | down)


def _median_of_five(
    grey: Float[np.ndarray, "samples height width"], axis: int
) -> Float[np.ndarray, "samples height width"]:
    pad = [(0, 0)] * 3
    pad[axis] = (2, 2)
    runs = np.lib.stride_tricks.sliding_window_view(np.pad(grey, pad, mode="reflect"), 5, axis=axis)
    return np.asarray(np.median(runs, axis=-1))
