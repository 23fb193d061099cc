"""Trials of candidates: screened where they were proposed, confirmed by transplant on samples that proposed nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Bool, Int, Shaped

from probes.drift.shortcuts.excess import Counts, design_effect
from probes.drift.shortcuts.family import Candidate, Family, Samples
from probes.observable import Subject

if TYPE_CHECKING:
    from torch import Tensor

SCREENED = 24
"""Candidates of a family that are screened."""
SCREENED_HOSTS = 16
FINALISTS = 8
FINALISTS_OF_A_CLASS = 4
FINAL_HOSTS = 64
NAMED = 3
"""Candidates of a family, of different classes, that are confirmed: the foremost and those beyond PROMISING."""
PROMISING = 0.3
NATURAL_HOSTS = 96
NATURAL_OWN = 3
NATURAL_EACH = 2
NATURAL_CLASSES = 6
HEAVIEST = 0.7
"""Share of the class's samples that give, at most, where the heaviest do."""


Followed = tuple[Bool[np.ndarray, " hosts"], Int[np.ndarray, " hosts"]]
"""Which hosts are predicted as the suspected class, and who gave to each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Who gives and who receives; `answers` are the model's about those who receive."""

    giving: Samples
    receiving: Samples
    answers: Int[np.ndarray, " receiving"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """The same hosts with the candidate and with its control."""

    followed: Bool[np.ndarray, " hosts"]
    moved: Bool[np.ndarray, " hosts"]
    donor: Int[np.ndarray, " hosts"]

    @property
    def excess(self) -> float:
        return float(self.followed.mean() - self.moved.mean())


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A family's candidates with the share of predictions that follow each, in its own order, and those that are
    confirmed."""

    candidates: tuple[Candidate, ...]
    rates: tuple[float, ...]
    chosen: tuple[Candidate, ...]

    @property
    def ranked(self) -> list[Candidate]:
        order = np.argsort(-np.array(self.rates), kind="stable")
        return [self.candidates[i] for i in order]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One model, and the samples that propose."""

    subject: Subject
    proposing: Samples

    @cached_property
    def _screening(self) -> Sides:
        return self.sides(self.proposing, self.proposing)

    def sides(self, giving: Samples, receiving: Samples) -> Sides:
        return Sides(giving=giving, receiving=receiving, answers=self._ask(receiving.inputs))

    def screen(self, family: Family, rng: np.random.Generator) -> Screened:
        candidates = tuple(family.propose(self.proposing, rng))[:SCREENED]
        rates = []
        for one in candidates:
            followed = self._follow(family, one, self._screening, rng, SCREENED_HOSTS)
            rates.append(-1.0 if followed is None else float(followed[0].mean()))
        return Screened(
            candidates=candidates, rates=tuple(rates), chosen=self._finalists(family, candidates, rates, rng)
        )

    def _finalists(
        self, family: Family, candidates: Sequence[Candidate], rates: Sequence[float], rng: np.random.Generator
    ) -> tuple[Candidate, ...]:
        """The candidate that moves most beyond its control, and the foremost of other classes that promise as much."""
        excess: dict[Candidate, float] = {}
        order = [int(i) for i in np.argsort(-np.array(rates), kind="stable")]
        # A strong mark of one class must not keep the next class's out.
        labels = [candidates[i].label for i in order]
        few = [i for k, i in enumerate(order) if labels[:k].count(labels[k]) < FINALISTS_OF_A_CLASS]
        for i in sorted(few[:FINALISTS]):
            tried = self._paired(family, candidates[i], self._screening, rng, FINAL_HOSTS)
            excess[candidates[i]] = -1.0 if tried is None else tried.excess
        ranked = sorted(excess, key=lambda one: -excess[one])
        chosen = ranked[:1]
        for one in ranked[1:]:
            if excess[one] >= PROMISING and one.label not in {other.label for other in chosen} and len(chosen) < NAMED:
                chosen.append(one)
        return tuple(chosen)

    def confirm(self, family: Family, candidate: Candidate, sides: Sides, rng: np.random.Generator) -> Counts | None:
        """None where nobody gives or receives."""
        paired = self._paired(family, candidate, sides, rng, None)
        if paired is None:
            return None
        followed, moved = paired.followed, paired.moved
        counts = tuple(
            int((one & other).sum()) for one, other in
            ((followed, moved), (followed, ~moved), (~followed, moved), (~followed, ~moved))
        )  # fmt: skip
        together = design_effect(followed.astype(np.float64) - moved, paired.donor)
        return Counts(paired=cast("tuple[int, int, int, int]", counts), together=together)

    def beside(
        self,
        found: Counts,
        family: Family,
        candidate: Candidate,
        sides: Sides,
        rng: np.random.Generator,
        screened: Screened,
    ) -> Counts:
        """What evidence of this kind takes along that is not the candidate: the second strongest of the class's own
        next ones elsewhere, or of other classes' foremost (or the strongest of these, as the family says), whichever
        takes more."""
        own: list[Candidate] = []
        for one in screened.ranked:
            if one.label == candidate.label and all(family.apart(one, other) for other in (candidate, *own)):
                own.append(one)
        others: dict[int, list[Candidate]] = {}
        for one in screened.ranked:
            if one.label != candidate.label:
                others.setdefault(one.label, []).append(one)
        if len(others) < 2:
            # Of two classes, what makes one likelier makes the other less likely: there is no independent other class.
            others = {}
        foremost = [few[:NATURAL_EACH] for few in [*others.values()][:NATURAL_CLASSES]]
        compared = [
            *self._rival(family, [[one] for one in own[:NATURAL_OWN]], 1, sides, rng),
            *self._rival(family, foremost, 0 if family.rivals == "strongest" else 1, sides, rng),
        ]
        if not compared:
            return found
        followed, donor = max(compared, key=_rate)
        return dataclasses.replace(
            found,
            natural=(int(followed.sum()), len(followed)),
            natural_together=design_effect(followed.astype(np.float64), donor),
        )

    def _rival(
        self, family: Family, each: Sequence[Sequence[Candidate]], place: int, sides: Sides, rng: np.random.Generator
    ) -> list[Followed]:
        """Of several sets of candidates the best one of the strongest set (`place` 0) or of the second (1); none of
        none."""
        best = []
        for few in each:
            tried = [self._follow(family, one, sides, rng, NATURAL_HOSTS) for one in few]
            best += sorted((one for one in tried if one is not None), key=_rate)[-1:]
        return sorted(best, key=_rate, reverse=True)[min(place, len(best) - 1) :][:1] if best else []

    def held(self, family: Family, candidate: Candidate, giving: Samples) -> float:
        """The share of the class that holds at least half of what the median donor holds; NaN where strength is no
        share."""
        strength = family.strength(candidate, giving)
        donors = _donors(family, candidate, giving, own=True)
        mine = strength[giving.labels == candidate.label]
        if family.donors == "random" or strength.min() < 0 or not len(donors):
            return float("nan")
        return float((mine >= np.median(strength[donors]) / 2).mean())

    def _follow(
        self, family: Family, candidate: Candidate, sides: Sides, rng: np.random.Generator, most: int
    ) -> Followed | None:
        hosts, donors = _hosts(candidate, sides, rng, most), _donors(family, candidate, sides.giving, own=True)
        return self._put(family, candidate, sides, hosts, donors, rng) if len(hosts) and len(donors) else None

    def _paired(
        self, family: Family, candidate: Candidate, sides: Sides, rng: np.random.Generator, most: int | None
    ) -> Paired | None:
        """The strongest control where there are several."""
        hosts = _hosts(candidate, sides, rng, most)
        own, others = (_donors(family, candidate, sides.giving, own=side) for side in (True, False))
        if not len(hosts) or not len(own) or not len(others):
            return None
        followed, donor = self._put(family, candidate, sides, hosts, own, rng)
        controls = [self._put(family, candidate, sides, hosts, others, rng)[0]]
        controls += [self._put(family, part, sides, hosts, own, rng)[0] for part in family.parts(candidate)]
        return Paired(followed=followed, moved=max(controls, key=lambda one: int(one.sum())), donor=donor)

    def _put(
        self,
        family: Family,
        candidate: Candidate,
        sides: Sides,
        hosts: Int[np.ndarray, " hosts"],
        donors: Int[np.ndarray, " donors"],
        rng: np.random.Generator,
    ) -> Followed:
        """Which hosts are predicted as the suspected class now, and who gave to each."""
        import torch

        # Every donor gives about as often as any other.
        donor = rng.permutation(np.resize(rng.permutation(donors), len(hosts)))
        received = sides.receiving.inputs[torch.from_numpy(hosts)]
        changed = family.transplant(candidate, received, sides.giving.at(donor), rng)
        return self._ask(changed) == candidate.label, donor

    def _ask(self, inputs: Shaped[Tensor, "some ..."]) -> Int[np.ndarray, " some"]:
        import torch

        with torch.no_grad():
            answers = [self.subject.network(part).argmax(dim=1) for part in torch.split(inputs, 128)]
        return np.asarray(torch.cat(answers).cpu().numpy())


def _rate(followed: Followed) -> float:
    return float(followed[0].mean())


def _hosts(candidate: Candidate, sides: Sides, rng: np.random.Generator, most: int | None) -> Int[np.ndarray, " hosts"]:
    """Samples of other classes that are not predicted as the suspected class already."""
    hosts = np.flatnonzero((sides.receiving.labels != candidate.label) & (sides.answers != candidate.label))
    if most is not None and len(hosts) > most:
        hosts = np.sort(rng.choice(hosts, size=most, replace=False))
    return hosts


def _donors(family: Family, candidate: Candidate, giving: Samples, *, own: bool) -> Int[np.ndarray, " donors"]:
    """Of the suspected class, or of the others. The heaviest are at most HEAVIEST of them, or two; a mark in few
    samples must not be mixed with samples that lack it: where strength is a share, they have at least half of the
    most."""
    chosen = np.flatnonzero((giving.labels == candidate.label) == own)
    if family.donors == "random" or not len(chosen):
        return chosen
    strength = family.strength(candidate, giving)[chosen]
    few = np.argsort(-strength, kind="stable")[: max(2, round(HEAVIEST * len(chosen)))]
    if strength.min() >= 0:
        few = few[strength[few] >= strength.max() / 2]
    return chosen[few]
