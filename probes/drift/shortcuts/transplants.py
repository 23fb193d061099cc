"""Transplants of candidates: put, asked in full batches, and what the model answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.drift.observables.faithfulness import rows_of
from probes.drift.shortcuts.donors import Sides
from probes.drift.shortcuts.excess import Counts, crossed_design_effect, shared_correlation
from probes.drift.shortcuts.family import Candidate, Family

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """Which transplants are predicted as the suspected class, who gave and who received."""

    followed: Bool[np.ndarray, " trials"]
    donor: Int[np.ndarray, " trials"]
    host: Int[np.ndarray, " trials"]

    @property
    def rate(self) -> float:
        return float(self.followed.mean())

    @property
    def together(self) -> float:
        return crossed_design_effect(self.followed.astype(np.float64), self.donor, self.host)

    def shared(self, other: Followed) -> float:
        """The correlation of the two rates, by the hosts that both have."""
        one, two = ((each.followed.astype(np.float64), each.host) for each in (self, other))
        return shared_correlation(one, two, (self.together, other.together))


@dataclass(frozen=True, kw_only=True, eq=False)
class Beyond:
    """The same hosts with a candidate and with its matched control."""

    candidate: Followed
    moved: Bool[np.ndarray, " trials"]

    @property
    def difference(self) -> Float[np.ndarray, " trials"]:
        return np.asarray(self.candidate.followed.astype(np.float64) - self.moved)

    @property
    def together(self) -> float:
        return crossed_design_effect(self.difference, self.candidate.donor, self.candidate.host)

    @property
    def paired(self) -> tuple[int, int, int, int]:
        followed, moved = self.candidate.followed, self.moved
        both = ((followed, moved), (followed, ~moved), (~followed, moved), (~followed, ~moved))
        return cast("tuple[int, int, int, int]", tuple(int((one & other).sum()) for one, other in both))

    def shared(self, other: Beyond) -> float:
        """The correlation of the two differences, by the hosts that both have."""
        one, two = ((each.difference, each.candidate.host) for each in (self, other))
        return shared_correlation(one, two, (self.together, other.together))


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """A candidate on hosts that receive it `draws` times each; `part` is its part that does most beyond its own
    control."""

    whole: Beyond
    draws: int
    part: Beyond | None = None

    @property
    def excess(self) -> float:
        part = 0.0 if self.part is None else float(self.part.difference.mean())
        return float(self.whole.difference.mean()) - max(0.0, part)

    @property
    def counts(self) -> Counts:
        found = Counts(paired=self.whole.paired, draws=self.draws, together=self.whole.together)
        if self.part is None:
            return found
        return dataclasses.replace(
            found,
            part=self.part.paired,
            part_together=self.part.together,
            part_shared=self.whole.shared(self.part),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Put:
    """Transplants that are yet to be asked: rows `first` to `end` of what is asked."""

    label: int
    donor: Int[np.ndarray, " trials"]
    host: Int[np.ndarray, " trials"]
    first: int
    end: int


@dataclass(eq=False)
class Asked:
    """Transplants of several candidates, which are put before the first is asked: together they fill batches that the
    few hosts of one do not."""

    ask: Callable[[Shaped[Tensor, "some ..."]], Int[np.ndarray, " some"]]
    """The classes that the model gives."""
    waiting: list[Tensor] = field(default_factory=list)
    answers: list[Int[np.ndarray, " some"]] = field(default_factory=list)
    rows: int = 0

    def put(
        self,
        family: Family,
        candidate: Candidate,
        sides: Sides,
        hosts: Int[np.ndarray, " trials"],
        donors: Int[np.ndarray, " donors"],
        rng: np.random.Generator,
    ) -> Put:
        import torch

        # Every donor is used about equally often.
        donor = rng.permutation(np.resize(rng.permutation(donors), len(hosts)))
        received = sides.receiving.inputs[torch.from_numpy(hosts)]
        self.waiting.append(family.transplant(candidate, received, sides.giving.at(donor), rng))
        first, self.rows = self.rows, self.rows + len(hosts)
        full = sum(map(len, self.waiting)) // rows_of(received) * rows_of(received)
        if full:
            self._ask(full)
        return Put(label=candidate.label, donor=donor, host=hosts, first=first, end=self.rows)

    def followed(self, put: Put) -> Followed:
        if self.waiting:
            self._ask(sum(map(len, self.waiting)))
        answers = np.concatenate(self.answers)[put.first : put.end]
        return Followed(followed=answers == put.label, donor=put.donor, host=put.host)

    def _ask(self, first: int) -> None:
        import torch

        waiting = torch.cat(self.waiting)
        self.answers.append(self.ask(waiting[:first]))
        self.waiting = [waiting[first:]] if len(waiting) > first else []
