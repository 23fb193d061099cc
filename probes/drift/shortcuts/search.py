"""The search: every family proposes on one part of the data, and one rule confirms on parts that proposed nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.drift.patches import positive_mass
from probes.drift.shortcuts.family import FAMILIES, Candidate, Family, Samples
from probes.drift.shortcuts.parts_of_image import attribution_in_parts
from probes.drift.unsuited import Unsuited
from probes.observable import Role, Subject, choose_both_sides
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SAMPLES = 12
SCREENED = 24
"""Candidates of a family that are screened."""
SCREENED_HOSTS = 16
FINALISTS = 5
FINAL_HOSTS = 64
NAMED = 3
"""Candidates of a family, of different classes, that are confirmed: the foremost and those beyond PROMISING."""
PROMISING = 0.3
NATURAL_HOSTS = 48
NATURAL_CLASSES = 6


@dataclass(frozen=True, kw_only=True)
class ShortcutSearch:
    """Candidates of every family of the modality, and how many predictions follow them.

    A quarter of the chosen samples are members that propose, a quarter members that give (donors), half are held-out
    samples that receive (hosts). Gives for each family F that the model's modality has: `F.label` [found], `F.place`
    [found numbers], `F.counts` [found 4] (hosts that follow both the candidate and its control, the candidate only,
    the control only, neither), `F.natural` [found 2] (followed, trials of natural evidence; trials 0 where none is
    compared), `F.together` [found] (design effect: hosts that share a donor are not independent), `F.held` [found]
    (share of the class's donors that hold at least half of what the median giver holds). Of images also the
    attribution in their parts."""

    samples: int = 480
    steps: int = 4
    families: tuple[Family, ...] = ()
    """All that are installed where none is given."""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}

    def of(self, modality: str) -> tuple[Family, ...]:
        families = self.families or tuple(FAMILIES.all().values())
        return tuple(one for one in families if modality in one.modalities)

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """Members, and as many held-out samples after them."""
        return choose_both_sides(pool, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        families = self.of(subject.modality)
        if not families or len(labels) < LEAST_SAMPLES:
            return {}
        named = labels.cpu().numpy()
        members = len(named) // 2
        mass = self._mass(subject, inputs[:members], labels[:members], rng)
        everything = Samples(inputs=inputs[:members], labels=named[:members], mass=mass)
        first, second = _halves(named[:members], rng)
        trial = Trial(
            subject=subject,
            proposing=everything.at(first),
            giving=everything.at(second),
            receiving=Samples(inputs=inputs[members:], labels=named[members:]),
        )
        found: dict[str, Shaped[np.ndarray, "..."]] = {}
        for family in families:
            found |= {f"{family.name}.{key}": value for key, value in trial.of(family, rng).items()}
        if subject.modality == "image" and mass is not None and mass.ndim == 3:
            found |= attribution_in_parts(mass, inputs[:members].cpu().numpy())
        return found

    def _mass(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "chosen ..."] | None:
        """None for token ids, and where the network has no gradient."""
        from probes.drift.explain.methods import explain
        from probes.drift.explain.target import why_label

        if not inputs.is_floating_point() or subject.modality == "audio":
            return None
        question = dataclasses.replace(why_label(subject, inputs, labels, rng), steps=self.steps, most=self.steps)
        try:
            return positive_mass(explain("integrated-gradients", question).maps.cpu().numpy())
        except Unsuited:
            return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One model, and the three parts of the data."""

    subject: Subject
    proposing: Samples
    giving: Samples
    receiving: Samples

    def of(self, family: Family, rng: np.random.Generator) -> dict[str, Shaped[np.ndarray, "..."]]:
        candidates = tuple(family.propose(self.proposing, rng))[:SCREENED]
        if not candidates:
            return {}
        rates = np.array([self._share(family, one, self._screening, rng, SCREENED_HOSTS) for one in candidates])
        chosen = self._finalists(family, candidates, rates, rng)
        confirmed = [self._confirm(family, one, candidates, rates, rng) for one in chosen]
        tried = [one for one in confirmed if one is not None]
        if not tried:
            return {}
        return {
            "label": np.array([one.candidate.label for one in tried], dtype=np.int64),
            "place": np.array([one.candidate.place for one in tried], dtype=np.float64),
            "counts": np.array([one.counts for one in tried], dtype=np.int64),
            "natural": np.array([one.natural for one in tried], dtype=np.int64),
            "together": np.array([one.together for one in tried], dtype=np.float64),
            "held": np.array([one.held for one in tried], dtype=np.float64),
        }

    @cached_property
    def _screening(self) -> tuple[Samples, Samples]:
        """Givers and receivers where nothing is confirmed."""
        return self.proposing, self.proposing

    def _finalists(
        self,
        family: Family,
        candidates: Sequence[Candidate],
        rates: Float[np.ndarray, " candidates"],
        rng: np.random.Generator,
    ) -> list[Candidate]:
        """The candidate that moves most beyond its control, and the foremost of other classes that promise as much."""
        excess: dict[Candidate, float] = {}
        for i in sorted(np.argsort(-rates, kind="stable")[:FINALISTS].tolist()):
            one = candidates[i]
            tried = self._paired(family, one, self._screening, rng, FINAL_HOSTS)
            excess[one] = -1.0 if tried is None else float(tried.followed.mean() - tried.moved.mean())
        ranked = sorted(excess, key=lambda one: -excess[one])
        chosen = ranked[:1]
        for one in ranked[1:]:
            if excess[one] >= PROMISING and one.label not in {other.label for other in chosen} and len(chosen) < NAMED:
                chosen.append(one)
        return chosen

    def _confirm(
        self,
        family: Family,
        candidate: Candidate,
        candidates: Sequence[Candidate],
        rates: Float[np.ndarray, " candidates"],
        rng: np.random.Generator,
    ) -> Tried | None:
        parts = self.giving, self.receiving
        paired = self._paired(family, candidate, parts, rng, None)
        if paired is None:
            return None
        followed, moved = paired.followed, paired.moved
        counts = tuple(
            int((one & other).sum()) for one, other in
            ((followed, moved), (followed, ~moved), (~followed, moved), (~followed, ~moved))
        )  # fmt: skip
        natural = self._natural(family, candidate, candidates, rates, rng) if family.natural == "elsewhere" else (0, 0)
        return Tried(
            candidate=candidate,
            counts=cast("tuple[int, int, int, int]", counts),
            natural=natural,
            together=design_effect(followed & ~moved, paired.donor),
            held=_held(family, candidate, self.giving, paired.donor),
        )

    def _natural(
        self,
        family: Family,
        candidate: Candidate,
        candidates: Sequence[Candidate],
        rates: Float[np.ndarray, " candidates"],
        rng: np.random.Generator,
    ) -> tuple[int, int]:
        """What evidence of this kind takes along that is not the candidate: the class's own foremost elsewhere, or the
        median of other classes' foremost, whichever takes less, so that neither two marks of a class nor marks of many
        classes hide each other."""
        order = [candidates[i] for i in np.argsort(-rates, kind="stable")]
        parts = self.giving, self.receiving
        own = [one for one in order if one.label == candidate.label and family.apart(one, candidate)][:1]
        others = [
            next(one for one in order if one.label == label)
            for label in list(dict.fromkeys(one.label for one in order if one.label != candidate.label))[
                :NATURAL_CLASSES
            ]
        ]
        elsewhere = [self._count(family, one, parts, rng, NATURAL_HOSTS) for one in own]
        peaks = sorted(
            (self._count(family, one, parts, rng, NATURAL_HOSTS) for one in others), key=lambda c: c[0] / max(c[1], 1)
        )
        # Of two classes, what makes one likelier makes the other less likely: there is no independent other class.
        middle = [peaks[len(peaks) // 2]] if len(peaks) > 1 else []
        compared = [one for one in (*elsewhere, *middle) if one[1]]
        return min(compared, key=lambda c: c[0] / c[1]) if compared else (0, 0)

    def _share(
        self, family: Family, candidate: Candidate, parts: tuple[Samples, Samples], rng: np.random.Generator, most: int
    ) -> float:
        followed, trials = self._count(family, candidate, parts, rng, most)
        return followed / trials if trials else -1.0

    def _count(
        self, family: Family, candidate: Candidate, parts: tuple[Samples, Samples], rng: np.random.Generator, most: int
    ) -> tuple[int, int]:
        hosts, donors = self._hosts(candidate, parts[1], rng, most), _donors(family, candidate, parts[0], own=True)
        if not len(hosts) or not len(donors):
            return 0, 0
        followed, _ = self._put(family, candidate, parts, hosts, donors, rng)
        return int(followed.sum()), len(hosts)

    def _paired(
        self,
        family: Family,
        candidate: Candidate,
        parts: tuple[Samples, Samples],
        rng: np.random.Generator,
        most: int | None,
    ) -> Paired | None:
        """The same hosts with the candidate and with its control; the strongest control where there are several."""
        hosts = self._hosts(candidate, parts[1], rng, most)
        own, others = (_donors(family, candidate, parts[0], own=side) for side in (True, False))
        if not len(hosts) or not len(own) or not len(others):
            return None
        followed, donor = self._put(family, candidate, parts, hosts, own, rng)
        controls = [self._put(family, candidate, parts, hosts, others, rng)[0]]
        controls += [self._put(family, part, parts, hosts, own, rng)[0] for part in family.parts(candidate)]
        return Paired(followed=followed, moved=max(controls, key=lambda one: int(one.sum())), donor=donor)

    def _hosts(
        self, candidate: Candidate, receiving: Samples, rng: np.random.Generator, most: int | None
    ) -> Int[np.ndarray, " hosts"]:
        """Samples of other classes that are not predicted as the suspected class already."""
        answers = self._proposing_answers if receiving is self.proposing else self._receiving_answers
        hosts = np.flatnonzero((receiving.labels != candidate.label) & (answers != candidate.label))
        if most is not None and len(hosts) > most:
            hosts = np.sort(rng.choice(hosts, size=most, replace=False))
        return hosts

    def _put(
        self,
        family: Family,
        candidate: Candidate,
        parts: tuple[Samples, Samples],
        hosts: Int[np.ndarray, " hosts"],
        donors: Int[np.ndarray, " donors"],
        rng: np.random.Generator,
    ) -> tuple[Bool[np.ndarray, " hosts"], Int[np.ndarray, " hosts"]]:
        """Which hosts are predicted as the suspected class now, and who gave to each."""
        import torch

        # Every donor gives about as often as any other.
        donor = rng.permutation(np.resize(rng.permutation(donors), len(hosts)))
        changed = family.transplant(candidate, parts[1].inputs[torch.from_numpy(hosts)], parts[0].at(donor), rng)
        return self._ask(changed) == candidate.label, donor

    @cached_property
    def _proposing_answers(self) -> Int[np.ndarray, " samples"]:
        return self._ask(self.proposing.inputs)

    @cached_property
    def _receiving_answers(self) -> Int[np.ndarray, " samples"]:
        return self._ask(self.receiving.inputs)

    def _ask(self, inputs: Shaped[Tensor, "some ..."]) -> Int[np.ndarray, " some"]:
        import torch

        with torch.no_grad():
            answers = [self.subject.network(part).argmax(dim=1) for part in torch.split(inputs, 128)]
        return np.asarray(torch.cat(answers).cpu().numpy())


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    followed: Bool[np.ndarray, " hosts"]
    moved: Bool[np.ndarray, " hosts"]
    """By the control."""
    donor: Int[np.ndarray, " hosts"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    candidate: Candidate
    counts: tuple[int, int, int, int]
    natural: tuple[int, int]
    together: float
    held: float = field(default=0.0)


def _donors(family: Family, candidate: Candidate, giving: Samples, *, own: bool) -> Int[np.ndarray, " donors"]:
    """Of the suspected class, or of the others. The heaviest are as many as a fifth of the class, or two; a mark in few
    samples must not be mixed with samples that lack it, so where strength is a share they have at least half of the
    most."""
    mine = giving.labels == candidate.label
    chosen = np.flatnonzero(mine if own else ~mine)
    if family.donors == "random" or not len(chosen):
        return chosen
    strength = family.strength(candidate, giving)[chosen]
    few = np.argsort(-strength, kind="stable")[: max(2, round(0.2 * int(mine.sum())))]
    if strength.min() >= 0:
        few = few[strength[few] >= strength.max() / 2]
    return chosen[few]


def _held(family: Family, candidate: Candidate, giving: Samples, donor: Int[np.ndarray, " hosts"]) -> float:
    strength = family.strength(candidate, giving)
    mine = strength[giving.labels == candidate.label]
    if family.donors == "random" or strength.min() < 0:
        return float("nan")
    return float((mine >= np.median(strength[donor]) / 2).mean())


def design_effect(hit: Bool[np.ndarray, " hosts"], donor: Int[np.ndarray, " hosts"]) -> float:
    """By how much the variance of the share is larger than of independent hosts, since hosts of one donor share what it
    gave: 1 + (m − 1) ρ, with ρ the intraclass correlation by analysis of variance (Kish 1965; Donner & Koval 1980).

    >>> design_effect(np.array([True, True, False, False]), np.array([0, 0, 1, 1]))
    2.0
    """
    names, which, sizes = np.unique(donor, return_inverse=True, return_counts=True)
    groups, n = len(names), len(hit)
    if groups < 2 or n <= groups:
        return 1.0
    means = np.bincount(which, weights=hit) / sizes
    between = float((sizes * (means - hit.mean()) ** 2).sum()) / (groups - 1)
    within = float(((hit - means[which]) ** 2).sum()) / (n - groups)
    size = (n - float((sizes**2).sum()) / n) / (groups - 1)
    total = between + (size - 1) * within
    correlation = max(0.0, (between - within) / total) if total > 0 else 0.0
    return 1 + (size - 1) * correlation


def _halves(labels: Int[np.ndarray, " chosen"], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Class by class."""
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        turn[mine] = np.arange(len(mine))
    return np.flatnonzero(turn % 2 == 0), np.flatnonzero(turn % 2 == 1)
