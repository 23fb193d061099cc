"""Pairs of columns that decide together: the effect of the pair beyond the better of the two."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples
from probes.evidence import Modality
from probes.measures.dummies import groups_of
from probes.message import Message, Text
from probes.ranges import Many

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Pairs(Family):
    """Pairs among the `among` columns with most attribution over all classes, by how much better both predict a class
    than either does (a table of medians); place: first and one past the last of one, then of the other."""

    among: Many = 8

    name: ClassVar[str] = "pairs"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        table = seen.inputs.cpu().numpy().astype(np.float64)
        groups = groups_of(table)
        if len(groups) < 3:
            return ()
        weight = np.array([_weight(seen, first, end) for first, end in groups])
        few = np.sort(np.argsort(-weight, kind="stable")[: self.among])
        cells = {i: _cells(table[:, groups[i][0] : groups[i][1]]) for i in few}
        found: list[tuple[float, Candidate]] = []
        for one, other in itertools.combinations(few, 2):
            for label in np.unique(seen.labels):
                mine = (seen.labels == label).astype(np.float64)
                both = _told(cells[one] * 8 + cells[other], mine)
                better = max(_told(cells[one], mine), _told(cells[other], mine))
                place = tuple(map(float, (*groups[one], *groups[other])))
                found.append((both - better, Candidate(int(label), place)))
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        return _with(candidate.place, hosts, donors)

    def apart(self, one: Candidate, other: Candidate) -> bool:
        """No column in common: another pair of the class's is natural evidence for this one."""
        return not {one.place[0], one.place[2]} & {other.place[0], other.place[2]}

    def parts(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Each column of the pair alone. Where two signs must agree, it moves half of the hosts, but other classes'
        values do so as well."""
        return tuple(Candidate(candidate.label, place) for place in (candidate.place[:2], candidate.place[2:]))

    def where(self, candidate: Candidate, names: Names) -> Text:
        one, past, other, beyond = map(int, candidate.place)
        return Message("drift.at-pair", {"one": names.columns(one, past), "other": names.columns(other, beyond)})


def _with(
    place: tuple[float, ...], hosts: Shaped[Tensor, "hosts columns"], donors: Samples
) -> Shaped[Tensor, "hosts columns"]:
    changed = hosts.clone()
    for first, end in zip(map(int, place[::2]), map(int, place[1::2]), strict=True):
        changed[:, first:end] = donors.inputs[:, first:end]
    return changed


def _weight(seen: Samples, first: int, end: int) -> float:
    if seen.mass is None:
        return float(seen.inputs[:, first:end].std())
    return float(seen.mass[:, first:end].sum())


def _cells(values: Float[np.ndarray, "samples columns"]) -> Int[np.ndarray, " samples"]:
    """The value of a categorical column (up to seven), or the side of the median."""
    if values.shape[1] > 1:
        return np.asarray(np.minimum(values.argmax(axis=1), 7))
    two = len(np.unique(values)) <= 2
    return np.asarray(values[:, 0] == values.max() if two else values[:, 0] > np.median(values), dtype=np.int64)


def _told(cell: Int[np.ndarray, " samples"], mine: Float[np.ndarray, " samples"]) -> float:
    """Share of the variance of `mine` between cells, minus that of the same number of random cells (adjusted R²)."""
    names, which = np.unique(cell, return_inverse=True)
    mean = np.bincount(which, weights=mine) / np.bincount(which)
    total = float(mine.var())
    dof = len(mine) - len(names)
    if total == 0 or dof < 1:
        return 0.0
    return 1 - float(((mine - mean[which]) ** 2).mean()) / total * (len(mine) - 1) / dof
