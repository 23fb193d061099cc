"""What each section of the probe adds to its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from probes.drift.observables.attribution import maps_of
from probes.message import Text
from probes.observable import Observation
from probes.result import Estimate, Figure, Finding

Seen = Mapping[str, Observation]
"""What one observable gave, by model."""


@dataclass(kw_only=True)
class Part:
    estimates: list[Estimate] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)
    per_sample: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, *others: Part) -> Part:
        for other in others:
            self.estimates += other.estimates
            self.findings += other.findings
            self.figures += other.figures
            self.notes += other.notes
            self.per_sample |= other.per_sample
        return self


def among(seen: Seen, prefix: str, method: str) -> list[np.ndarray]:
    """The maps of all models whose name begins so, by name."""
    found = (maps_of(one, method) for name, one in sorted(seen.items()) if name.startswith(prefix))
    return [maps for maps in found if maps is not None]


def mean_of(columns: Iterable[np.ndarray]) -> np.ndarray:
    return np.asarray(np.mean(list(columns), axis=0))
