"""Recordings: bands of the spectrum, hum, silence at the ends, level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Count, Rate

if TYPE_CHECKING:
    from torch import Tensor

LINES = 3
"""Number of neighbouring bins of the spectrum that count as hum."""


@dataclass(frozen=True, kw_only=True)
class Bands(Family):
    """Everything below `low` and above `high` of the highest frequency, and the line of the spectrum that distinguishes
    a class most (hum): the host's coefficients are replaced by the donor's; place: first bin, and one past the last.
    The bands between contain the sound itself."""

    low: Rate = 0.05
    high: Rate = 0.6

    name: ClassVar[str] = "bands"
    modalities: ClassVar[tuple[Modality, ...]] = ("audio",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        waves = seen.inputs.cpu().numpy().astype(np.float64).reshape(len(seen), -1, seen.inputs.shape[-1]).mean(axis=1)
        power = np.log(np.abs(np.fft.rfft(waves, axis=-1)) + 1e-6)
        bins = power.shape[1]
        if bins < 8:
            return ()
        found: list[tuple[float, Candidate]] = []
        for label in np.unique(seen.labels):
            apart = np.abs(separation(power, seen.labels, int(label)))
            line = min(max(0, int(np.argmax(apart)) - LINES // 2), bins - LINES)
            for first, end in (
                (line, line + LINES),
                (0, max(2, round(self.low * bins))),
                (round(self.high * bins), bins),
            ):
                found.append((float(apart[first:end].mean()), Candidate(int(label), (float(first), float(end)))))
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        first, end = map(int, candidate.place)
        own, theirs = torch.fft.rfft(hosts), torch.fft.rfft(donors.inputs)
        own[..., first:end] = theirs[..., first:end]
        mixed: Tensor = torch.fft.irfft(own, n=hosts.shape[-1])
        return mixed

    def where(self, candidate: Candidate, names: Names) -> Text:
        first, end = map(int, candidate.place)
        return Message("drift.at-bins", {"first": first, "last": end - 1})


@dataclass(frozen=True, kw_only=True)
class Ends(Family):
    """The beginning or the end, a share of 1 / `cut` of the recording, is replaced by the donor's; place: which."""

    cut: Count = 8

    name: ClassVar[str] = "ends"
    modalities: ClassVar[tuple[Modality, ...]] = ("audio",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if seen.inputs.shape[-1] < 2 * self.cut:
            return ()
        return tuple(Candidate(int(label), (float(end),)) for label in np.unique(seen.labels) for end in (0, 1))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        reach = hosts.shape[-1] // self.cut
        where = slice(None, reach) if candidate.place[0] == 0 else slice(hosts.shape[-1] - reach, None)
        changed = hosts.clone()
        changed[..., where] = donors.inputs[..., where]
        return changed

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-end", {"end": ("beginning", "end")[int(candidate.place[0])], "share": 1 / self.cut})


@dataclass(frozen=True, kw_only=True)
class Level(Family):
    """The host's root mean square is set to the donor's."""

    name: ClassVar[str] = "level"
    modalities: ClassVar[tuple[Modality, ...]] = ("audio",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        return tuple(Candidate(int(label)) for label in np.unique(seen.labels))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        axes = tuple(range(1, hosts.ndim))
        own, theirs = (one.pow(2).mean(dim=axes, keepdim=True).sqrt().clamp(min=1e-9) for one in (hosts, donors.inputs))
        return hosts * (theirs / own)

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-level")
