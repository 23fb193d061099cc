"""The samples of a search: those used for proposing, and two looks at those used for confirming, the second with all of
them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.patches import positive_mass
from probes.drift.shortcuts.family import Samples
from probes.drift.unsuited import Unsuited
from probes.observable import Subject, choose_stratified

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Looks:
    """Members, and as many held-out samples after them. The first look uses `first` of each side; half of these members
    are used for proposing, and never as donors. Attributions take `steps` nodes each and are computed on demand."""

    subject: Subject
    inputs: Shaped[Tensor, "chosen ..."]
    labels: Int[Tensor, " chosen"]
    first: int
    steps: int
    seed: int

    @property
    def more(self) -> bool:
        """Whether a second look has more samples."""
        return len(self.labels) // 2 > self.first

    @property
    def members(self) -> Int[np.ndarray, " members"]:
        """Positions of the first look's members."""
        return self._parts[0]

    @cached_property
    def shown(self) -> Samples:
        """All members of the first look, in their original order."""
        return self._with_mass(self.members)

    @cached_property
    def proposing(self) -> Samples:
        return self.shown.at(self._turn[0])

    @cached_property
    def giving(self) -> Samples:
        return self.shown.at(self._turn[1])

    @cached_property
    def giving_all(self) -> Samples:
        """All members but those used for proposing, without attributions."""
        return dataclasses.replace(joined(self.giving, self._at(self._parts[1])), mass=None)

    @cached_property
    def everyone(self) -> Samples:
        """All members, without attributions."""
        return self._at(np.arange(len(self.labels) // 2))

    def more_of(self, label: int, others: Sequence[int]) -> Samples:
        """The members of these classes beyond the first look's, and all held-out samples of the first, with
        attributions."""
        half, classes = len(self.labels) // 2, self.labels.cpu().numpy()
        held = np.arange(half, len(classes))
        parts = [("held", label, held), *(("members", each, self._parts[1]) for each in (label, *others))]
        found = [self._once(side, each, where[classes[where] == each]) for side, each, where in parts]
        return reduce(joined, found)

    @cached_property
    def receiving(self) -> Samples:
        return self._at(self._parts[2])

    @cached_property
    def receiving_all(self) -> Samples:
        return self._at(np.arange(len(self.labels) // 2, len(self.labels)))

    def _once(self, side: str, label: int, where: Int[np.ndarray, " some"]) -> Samples:
        if (side, label) not in self._attributed:
            self._attributed[side, label] = self._with_mass(where)
        return self._attributed[side, label]

    @cached_property
    def _attributed(self) -> dict[tuple[str, int], Samples]:
        return {}

    @cached_property
    def _parts(self) -> tuple[Int[np.ndarray, " members"], Int[np.ndarray, " rest"], Int[np.ndarray, " held"]]:
        """Members of the first look, the other members, held-out samples of the first look."""
        rng = np.random.default_rng([self.seed, 0])
        members, labels = len(self.labels) // 2, self.labels.cpu().numpy()
        mine, held = (
            choose_stratified(side, labels, self.first, rng)
            for side in (np.arange(members), np.arange(members, len(labels)))
        )
        return mine, np.setdiff1d(np.arange(members), mine), held

    @cached_property
    def _turn(self) -> tuple[Int[np.ndarray, " proposing"], Int[np.ndarray, " giving"]]:
        """Two halves of the first look's members, class by class."""
        rng = np.random.default_rng([self.seed, 1])
        labels = self.labels.cpu().numpy()[self._parts[0]]
        turn = np.empty(len(labels), dtype=np.int64)
        for label in np.unique(labels):
            mine = rng.permutation(np.flatnonzero(labels == label))
            turn[mine] = np.arange(len(mine))
        return np.flatnonzero(turn % 2 == 0), np.flatnonzero(turn % 2 == 1)

    def _at(self, where: Int[np.ndarray, " some"]) -> Samples:
        import torch

        index = torch.from_numpy(where)
        return Samples(inputs=self.inputs[index], labels=self.labels[index].cpu().numpy())

    def _with_mass(self, where: Int[np.ndarray, " some"]) -> Samples:
        samples = self._at(where)
        return dataclasses.replace(samples, mass=self._mass(samples)) if len(samples) else samples

    def _mass(self, samples: Samples) -> Float[np.ndarray, "some ..."] | None:
        """None for token ids, and if the network has no gradient."""
        import torch

        from probes.drift.explain.methods import explain
        from probes.drift.explain.target import why_label

        if not samples.inputs.is_floating_point() or self.subject.modality == "audio":
            return None
        labels = torch.from_numpy(samples.labels).to(self.labels.device)
        question = why_label(self.subject, samples.inputs, labels, np.random.default_rng([self.seed, 2]))
        question = dataclasses.replace(question, steps=self.steps, most=self.steps)
        try:
            return positive_mass(explain("integrated-gradients", question).maps.cpu().numpy())
        except Unsuited:
            return None


def joined(one: Samples, other: Samples) -> Samples:
    """One after the other; with attributions if both have them."""
    import torch

    if not len(one) or not len(other):
        return one if len(one) else other
    mass = None if one.mass is None or other.mass is None else np.concatenate([one.mass, other.mass])
    return Samples(
        inputs=torch.cat([one.inputs, other.inputs]), labels=np.concatenate([one.labels, other.labels]), mass=mass
    )
