"""Identifiers: an integer column whose values no two samples share, such as a row number or a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.message import Message, Text
from probes.ranges import Rate

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Identifiers(Family):
    """Columns whose values are all different and on a grid of equal steps, to within `tolerance` of a step; place:
    column. The order of collection gives a class away through them."""

    tolerance: Rate = 0.05

    name: ClassVar[str] = "identifiers"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        table = seen.inputs.cpu().numpy().astype(np.float64)
        columns = [column for column in range(table.shape[1]) if self._counts(table[:, column])]
        found = [
            (
                abs(float(separation(table[:, [column]], seen.labels, int(label))[0])),
                Candidate(int(label), (float(column),)),
            )
            for column in columns
            for label in np.unique(seen.labels)
        ]
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def _counts(self, values: Float[np.ndarray, " samples"]) -> bool:
        gaps = np.diff(np.sort(values))
        if len(gaps) < 10 or gaps.min() <= 1e-6 * np.abs(values).max():
            return False
        steps = gaps / gaps.min()
        return bool((np.abs(steps - np.round(steps)) < self.tolerance).mean() > 0.95)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        column = int(candidate.place[0])
        changed = hosts.clone()
        changed[:, column] = donors.inputs[:, column]
        return changed

    def where(self, candidate: Candidate, names: Names) -> Text:
        column = int(candidate.place[0])
        return Message("drift.at-identifier", {"column": names.columns(column, column + 1)})
