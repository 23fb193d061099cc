"""Frequency bands: a texture laid over the image, a grid of a sensor, the traces of a codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, most_separated
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor

PARTS = ("amplitude and phase", "amplitude")


@dataclass(frozen=True, kw_only=True)
class Frequency(Family):
    """Everything above `high` of the highest frequency: the host's coefficients, or only their amplitudes, are replaced
    by the donor's; place: which. Lower bands contain the object itself."""

    high: Rate = 0.6

    name: ClassVar[str] = "frequency"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if min(seen.inputs.shape[2:]) < 6:
            return ()
        images = seen.inputs.cpu().numpy().astype(np.float64)
        spectrum = np.abs(np.fft.fft2(images)).mean(axis=1)[:, _above(self.high, *images.shape[2:])]
        values = np.log(spectrum + 1e-3 * spectrum.mean() + 1e-12)
        order = most_separated(values, seen.labels)
        return tuple(Candidate(label, (float(which),)) for label in order for which in range(len(PARTS)))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        inside = torch.from_numpy(_above(self.high, *hosts.shape[2:])).to(hosts.device)
        own, theirs = torch.fft.fft2(hosts), torch.fft.fft2(donors.inputs)
        if candidate.place[0] == 1:
            theirs = torch.polar(theirs.abs(), own.angle())
        mixed: Tensor = torch.fft.ifft2(torch.where(inside, theirs, own)).real
        return mixed

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-frequencies", {"share": self.high, "part": PARTS[int(candidate.place[0])]})


def _above(high: float, height: int, width: int) -> Shaped[np.ndarray, "height width"]:
    down, across = np.abs(np.fft.fftfreq(height)), np.abs(np.fft.fftfreq(width))
    return np.asarray(np.maximum(down[:, None], across[None, :]) >= high / 2)
