"""Trials of candidates: screened where they were proposed, confirmed by transplants on other samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from probes.drift.observables.faithfulness import logits_of
from probes.drift.shortcuts.donors import Sides, donors_of, draws_of, hosts_of
from probes.drift.shortcuts.excess import Counts
from probes.drift.shortcuts.family import Candidate, Family, Samples
from probes.drift.shortcuts.transplants import Asked, Beyond, Followed, Paired, Put
from probes.observable import Subject

if TYPE_CHECKING:
    from torch import Tensor

SCREENED_HOSTS = 16
FINALISTS = 6
FINALISTS_OF_A_CLASS = 4
FINAL_HOSTS = 64
NAMED = 3
"""Largest number of candidates of a family, of different classes, that are confirmed: the strongest and those above
PROMISING."""
PROMISING = 0.3
NATURAL_HOSTS = 48
"""That choose which natural evidence is compared; it is measured on as many transplants as the candidate."""
NATURAL_AGAIN = 3
NATURAL_AGAIN_HOSTS = 144
"""At the second look, that choose among the strongest of the first."""
NATURAL_OWN = 3
NATURAL_OTHERS = 12
"""Largest number of other classes' candidates that are compared, the same of each class."""
NATURAL_CLASSES = 6


@dataclass(frozen=True, kw_only=True)
class Screened:
    """A family's candidates with the share of predictions that follow each, in its own order, and those that are
    confirmed, each with its excess over the matched control on the samples used for proposing."""

    candidates: tuple[Candidate, ...]
    rates: tuple[float, ...]
    chosen: tuple[tuple[Candidate, float], ...]

    @property
    def ranked(self) -> list[Candidate]:
        order = np.argsort(-np.array(self.rates), kind="stable")
        return [self.candidates[i] for i in order]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One model, the samples used for proposing, and all members, from which those families propose whose candidates
    take nothing from donors."""

    subject: Subject
    proposing: Samples
    members: Samples

    @cached_property
    def _screening(self) -> Sides:
        return self.sides(self.proposing, self.proposing)

    def sides(self, giving: Samples, receiving: Samples) -> Sides:
        return Sides(giving=giving, receiving=receiving, answers=self.ask(receiving.inputs))

    def screen(self, family: Family, rng: np.random.Generator) -> Screened:
        candidates = tuple(family.propose(self.proposing if family.gives else self.members, rng))[: family.screened]
        followed = self._follow(family, candidates, self._screening, rng, SCREENED_HOSTS)
        rates = [-1.0 if one is None else one.rate for one in followed]
        return Screened(
            candidates=candidates, rates=tuple(rates), chosen=self._finalists(family, candidates, rates, rng)
        )

    def _finalists(
        self, family: Family, candidates: Sequence[Candidate], rates: Sequence[float], rng: np.random.Generator
    ) -> tuple[tuple[Candidate, float], ...]:
        """The candidate with the largest effect beyond its control, and the strongest of other classes that are as
        promising, each with that effect."""
        excess: dict[Candidate, float] = {}
        order = [int(i) for i in np.argsort(-np.array(rates), kind="stable")]
        # A strong mark of one class must not exclude the next class's.
        labels = [candidates[i].label for i in order]
        few = [i for k, i in enumerate(order) if labels[:k].count(labels[k]) < FINALISTS_OF_A_CLASS][:FINALISTS]
        # Nor may sequences that hold a strong word exclude the word: they do no more than it does.
        parts = {part for i in few for part in family.parts(candidates[i])}
        final = [candidates[i] for i in sorted({*few, *(i for i, one in enumerate(candidates) if one in parts)})]
        for one, tried in zip(final, self._paired(family, final, self._screening, rng, FINAL_HOSTS), strict=True):
            excess[one] = -1.0 if tried is None else tried.excess
        ranked = sorted(excess, key=lambda one: -excess[one])
        chosen = ranked[:1]
        for one in ranked[1:]:
            if excess[one] >= PROMISING and one.label not in {other.label for other in chosen} and len(chosen) < NAMED:
                chosen.append(one)
        return tuple((one, excess[one]) for one in chosen)

    def confirm(
        self, family: Family, candidate: Candidate, sides: Sides, rng: np.random.Generator, trials: int = 0
    ) -> Paired | None:
        """As many transplants as there are hosts, or about `trials` where that is more; None if there are no donors or
        hosts."""
        (found,) = self._paired(family, [candidate], sides, rng, None, trials)
        return found

    def rivals(
        self, family: Family, candidate: Candidate, sides: Sides, rng: np.random.Generator, screened: Screened
    ) -> tuple[Candidate, ...]:
        """What evidence of this kind takes along that is not the candidate, the strongest first: the second strongest
        of the class's own next ones elsewhere, and of other classes' strongest (or the strongest of each, as the family
        says), what another class has at the very places of these and of the candidate, and evidence that is
        bound to no place."""
        own: list[Candidate] = []
        for one in screened.ranked:
            elsewhere = one.label == candidate.label and all(family.apart(one, other) for other in (candidate, *own))
            if elsewhere and not family.one_mark(candidate, one, sides.giving):
                own.append(one)
        others = others_of(family, candidate, screened.ranked)
        each = NATURAL_OTHERS // max(1, min(len(others), NATURAL_CLASSES))
        foremost = [few[:each] for few in [*others.values()][:NATURAL_CLASSES]]
        mine = self._strongest(family, [[one] for one in own[:NATURAL_OWN]], sides, rng)
        theirs = self._strongest(family, foremost, sides, rng)
        compared = [*mine, *theirs] if family.rivals == "strongest" else [*_second(mine), *_second(theirs)]
        compared += self._unplaced(family, candidate, list(others), sides, rng)
        if family.rivals == "placed":
            for place in (candidate, *(one for _, one in theirs[:1])):
                held = [
                    [dataclasses.replace(place, label=label)]
                    for label in others
                    if label not in (candidate.label, place.label)
                ]
                compared += self._strongest(family, held[:NATURAL_CLASSES], sides, rng)[:1]
        return tuple(one for _, one in sorted(compared, key=lambda one: -one[0])[:NATURAL_AGAIN])

    def beside(
        self, found: Paired, family: Family, natural: Candidate, sides: Sides, rng: np.random.Generator, trials: int = 0
    ) -> Counts:
        """The same with natural evidence, on about as many transplants."""
        (measured,) = self._follow(family, [natural], sides, rng, None, trials)
        if measured is None:
            return found.counts
        return dataclasses.replace(
            found.counts,
            natural=(int(measured.followed.sum()), len(measured.followed)),
            natural_together=measured.together,
            natural_shared=found.whole.candidate.shared(measured),
        )

    def strongest(
        self, family: Family, few: Sequence[Candidate], sides: Sides, rng: np.random.Generator
    ) -> tuple[Candidate, ...]:
        """The foremost of them, tried again."""
        again = self._strongest(family, [[one] for one in few], sides, rng, NATURAL_AGAIN_HOSTS)
        return tuple(one for _, one in again)

    def _unplaced(
        self, family: Family, candidate: Candidate, others: Sequence[int], sides: Sides, rng: np.random.Generator
    ) -> list[tuple[float, Candidate]]:
        """The class's own evidence at its samples' peaks, and the second strongest of the other classes' there."""
        found = {label: family.unplaced(candidate, label, sides.giving) for label in (candidate.label, *others)}
        own = found.pop(candidate.label)
        theirs = [[one] for one in found.values() if one is not None]
        best = _second(self._strongest(family, theirs[:NATURAL_CLASSES], sides, rng))
        return [*best, *([] if own is None else self._strongest(family, [[own]], sides, rng))]

    def _strongest(
        self,
        family: Family,
        each: Sequence[Sequence[Candidate]],
        sides: Sides,
        rng: np.random.Generator,
        most: int = NATURAL_HOSTS,
    ) -> list[tuple[float, Candidate]]:
        """The best one of each set, with the share that follows it, the strongest set's first."""
        followed = iter(self._follow(family, [one for few in each for one in few], sides, rng, most))
        best: list[tuple[float, Candidate]] = []
        for few in each:
            rates = [(tried.rate, one) for one, tried in zip(few, followed, strict=False) if tried is not None]
            best += sorted(rates, key=lambda one: one[0])[-1:]
        return sorted(best, key=lambda one: -one[0])

    def held(self, family: Family, candidate: Candidate, giving: Samples) -> float:
        """The share of the class in which the candidate is at least half as strong as in the median donor; NaN if
        strength is not a share."""
        strength = family.strength(candidate, giving)
        donors = donors_of(family, candidate, giving, own=True)
        mine = strength[giving.labels == candidate.label]
        if family.donors == "random" or strength.min() < 0 or not len(donors):
            return float("nan")
        return float((mine >= np.median(strength[donors]) / 2).mean())

    def _follow(
        self,
        family: Family,
        candidates: Sequence[Candidate],
        sides: Sides,
        rng: np.random.Generator,
        most: int | None,
        trials: int = 0,
    ) -> list[Followed | None]:
        """For each candidate; None if there are no donors or hosts."""
        asked = Asked(self.ask)
        put: list[Put | None] = []
        for one in candidates:
            hosts, donors = hosts_of(one, sides, rng, most), donors_of(family, one, sides.giving, own=True)
            there = len(hosts) and len(donors)
            put.append(
                asked.put(family, one, sides, np.tile(hosts, draws_of(hosts, trials)), donors, rng) if there else None
            )
        return [None if one is None else asked.followed(one) for one in put]

    def _paired(
        self,
        family: Family,
        candidates: Sequence[Candidate],
        sides: Sides,
        rng: np.random.Generator,
        most: int | None,
        trials: int = 0,
    ) -> list[Paired | None]:
        """Each candidate and, where it has parts, that which does most beyond its own control; None if there are no
        donors or hosts."""
        asked = Asked(self.ask)
        put: list[tuple[int, list[tuple[Put, Put]]] | None] = []
        for candidate in candidates:
            hosts = hosts_of(candidate, sides, rng, most)
            own = donors_of(family, candidate, sides.giving, own=True)
            others = donors_of(family, candidate, sides.unshared, own=False)
            if not len(hosts) or not len(own) or not len(others):
                put.append(None)
                continue
            draws = draws_of(hosts, trials)
            hosts = np.tile(hosts, draws)
            pairs = [
                (asked.put(family, one, sides, hosts, own, rng), asked.put(family, one, sides, hosts, others, rng))
                for one in (candidate, *family.parts(candidate))
            ]
            put.append((draws, pairs))
        found: list[Paired | None] = []
        for tried in put:
            if tried is None:
                found.append(None)
                continue
            whole, *parts = (
                Beyond(candidate=asked.followed(one), moved=asked.followed(control).followed)
                for one, control in tried[1]
            )
            part = max(parts, key=lambda one: float(one.difference.mean()), default=None)
            found.append(Paired(whole=whole, draws=tried[0], part=part))
        return found

    def ask(self, inputs: Shaped[Tensor, "some ..."]) -> Int[np.ndarray, " some"]:
        """The classes that the model gives. Equal inputs, such as transplants of a blank place, are asked once."""
        keys = [sha256(one.tobytes()).digest() for one in np.ascontiguousarray(inputs.cpu().numpy())]
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        if new:
            answers = logits_of(self.subject, inputs[[*new.values()]]).argmax(dim=1).tolist()
            self._known.update(zip(new, answers, strict=True))
        return np.array([self._known[key] for key in keys], dtype=np.int64)

    @cached_property
    def _known(self) -> dict[bytes, int]:
        return {}


def others_of(family: Family, candidate: Candidate, ranked: Sequence[Candidate]) -> dict[int, list[Candidate]]:
    """Other classes' candidates, by class. What makes one of two classes more likely makes the other less likely: of
    two, only what is elsewhere is other evidence."""
    found: dict[int, list[Candidate]] = {}
    for one in ranked:
        if one.label != candidate.label:
            found.setdefault(one.label, []).append(one)
    if len(found) == 1:
        ((label, few),) = found.items()
        elsewhere = [one for one in few if family.apart(candidate, one)]
        return {label: elsewhere} if elsewhere else {}
    return found


def _second(ranked: Sequence[tuple[float, Candidate]]) -> Sequence[tuple[float, Candidate]]:
    """The second, or the only one."""
    return ranked[min(1, len(ranked) - 1) :][:1] if ranked else ()
