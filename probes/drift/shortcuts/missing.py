"""Missingness: the imputed value, if it reveals the class of a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor

CONTINUOUS = 10
"""In a column with more values than this, a single repeated value stands out."""


@dataclass(frozen=True, kw_only=True)
class Missing(Family):
    """Columns with many values of which a single one makes up `share` or more; place: column, that value."""

    share: Rate = 0.05

    name: ClassVar[str] = "missing"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        table = seen.inputs.cpu().numpy().astype(np.float64)
        found: list[tuple[float, Candidate]] = []
        for column, values in enumerate(table.T):
            distinct, counts = np.unique(values, return_counts=True)
            if len(distinct) <= CONTINUOUS or counts.max() < self.share * len(values):
                continue
            filled = float(distinct[counts.argmax()])
            gone = (values == filled).astype(np.float64)[:, None]
            found += [
                (float(separation(gone, seen.labels, int(label))[0]), Candidate(int(label), (float(column), filled)))
                for label in np.unique(seen.labels)
            ]
        return tuple(one for apart, one in sorted(found, key=lambda one: -one[0]) if apart > 0)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        column, filled = int(candidate.place[0]), candidate.place[1]
        changed = hosts.clone()
        own = (donors.labels == candidate.label).all()
        changed[:, column] = filled if own else donors.inputs[:, column]
        return changed

    def where(self, candidate: Candidate, names: Names) -> Text:
        column = int(candidate.place[0])
        return Message("drift.at-missing", {"column": names.columns(column, column + 1)})
