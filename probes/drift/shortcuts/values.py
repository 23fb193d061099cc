"""Single values of a table's columns: a category or a range that gives a class away, whatever share of it has it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.measures.dummies import groups_of
from probes.message import Message, Text
from probes.ranges import Many, Rate

if TYPE_CHECKING:
    from torch import Tensor

DISCRETE = 10
"""Largest number of distinct values of a column whose values are tried one by one."""

Place = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Values(Family):
    """Each value of a categorical or discrete column, and each of `ranges` equally frequent ranges of the others, where
    at least `share` of the class has it, and more than of other classes: what few have, such as a rare and telling
    category, may well be natural. The host gets it; a range, the donor's value moved to the nearer end of it. The
    control is any other value. Place: first column, one past the last, then the number of the dummy or the ends of the
    range, twice if they are one."""

    ranges: Many = 2
    share: Rate = 0.5

    name: ClassVar[str] = "values"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)
    gives: ClassVar[bool] = False

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        table = seen.inputs.cpu().numpy().astype(np.float64)
        places = [place for group in groups_of(table) for place in self._places(table, group)]
        if not places:
            return ()
        held = np.stack([_has(table, place) for place in places], axis=1).astype(np.float64)
        found = [
            (float(apart), Candidate(int(label), place))
            for label in np.unique(seen.labels)
            for place, apart, share in zip(
                places, separation(held, seen.labels, int(label)), held[seen.labels == label].mean(axis=0), strict=True
            )
            if share >= self.share
        ]
        return tuple(one for apart, one in sorted(found, key=lambda one: -one[0]) if apart > 0)

    def _places(self, table: Float[np.ndarray, "samples columns"], group: tuple[int, int]) -> list[Place]:
        first, end = group
        if end - first > 1:
            return [(float(first), float(end), float(value), float(value)) for value in range(end - first)]
        distinct = np.unique(table[:, first])
        if len(distinct) <= DISCRETE:
            return [(float(first), float(end), float(value), float(value)) for value in distinct]
        ends = np.quantile(table[:, first], np.linspace(0, 1, self.ranges + 1))
        return [(float(first), float(end), float(low), float(high)) for low, high in itertools.pairwise(ends)]

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        first, end = map(int, candidate.place[:2])
        low, high = candidate.place[2:]
        changed = hosts.clone()
        if not (donors.labels == candidate.label).all():
            changed[:, first:end] = _others(donors, candidate.place, rng)[:, first:end]
        elif end - first > 1:
            # A standardised dummy is on at its larger value.
            known = torch.cat([hosts[:, first:end], donors.inputs[:, first:end]])
            changed[:, first:end] = known.min(dim=0).values
            changed[:, first + int(low)] = known[:, int(low)].max()
        else:
            changed[:, first] = torch.clamp(donors.inputs[:, first], low, high)
        return changed

    def apart(self, one: Candidate, other: Candidate) -> bool:
        return one.place[0] != other.place[0]

    def where(self, candidate: Candidate, names: Names) -> Text:
        first, end = map(int, candidate.place[:2])
        low, high = candidate.place[2:]
        if end - first > 1:
            name = names.columns(first + int(low), first + int(low) + 1)
            return Message("drift.at-category", {"column": names.columns(first, end), "value": name})
        code = "drift.at-value" if low == high else "drift.at-range"
        return Message(code, {"column": names.columns(first, end), "low": low, "high": high})


def _others(donors: Samples, place: Place, rng: np.random.Generator) -> Shaped[Tensor, "donors columns"]:
    """The donors, those with the value replaced by others without it: the control is any other value."""
    import torch

    has = _has(donors.inputs.cpu().numpy(), place)
    if has.all():
        return donors.inputs
    chosen = np.arange(len(has))
    chosen[has] = rng.choice(np.flatnonzero(~has), size=int(has.sum()))
    return donors.inputs[torch.from_numpy(chosen)]


def _has(table: Float[np.ndarray, "samples columns"], place: Place) -> Bool[np.ndarray, " samples"]:
    first, end = map(int, place[:2])
    low, high = place[2:]
    if end - first > 1:
        return np.asarray(table[:, first:end].argmax(axis=1) == int(low))
    return np.asarray((table[:, first] >= low) & (table[:, first] <= high))
