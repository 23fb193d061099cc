"""Single columns of a table; the dummies of a categorical column count as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.measures.dummies import groups_of
from probes.message import Message, Text
from probes.ranges import Count

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Columns(Family):
    """For each class the `tried` columns with most of its attribution, and the same number that distinguish it most;
    place: first column, and one past the last."""

    tried: Count = 3

    name: ClassVar[str] = "columns"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        table = seen.inputs.cpu().numpy().astype(np.float64)
        groups = groups_of(table)
        found: list[Candidate] = []
        for label in np.unique(seen.labels):
            mine = seen.labels == label
            apart = np.abs(separation(table, seen.labels, int(label)))
            scores = [np.array([apart[first:end].max() for first, end in groups])]
            if seen.mass is not None:
                mean = seen.mass[mine].mean(axis=0)
                scores.append(np.array([mean[first:end].sum() for first, end in groups]))
            for score in scores:
                found += [
                    Candidate(int(label), tuple(map(float, groups[i])))
                    for i in np.argsort(-score, kind="stable")[: self.tried]
                ]
        return tuple(dict.fromkeys(found))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        first, end = map(int, candidate.place)
        changed = hosts.clone()
        changed[:, first:end] = donors.inputs[:, first:end]
        return changed

    def apart(self, one: Candidate, other: Candidate) -> bool:
        return one.place != other.place

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-column", {"column": names.columns(*map(int, candidate.place))})
