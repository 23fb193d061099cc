"""The search: every family proposes candidates on one part of the data, and one rule confirms them on other parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.shortcuts.donors import Sides
from probes.drift.shortcuts.excess import Counts
from probes.drift.shortcuts.family import FAMILIES, Candidate, Family
from probes.drift.shortcuts.looks import Looks, joined
from probes.drift.shortcuts.parts_of_image import attribution_in_parts
from probes.drift.shortcuts.trial import Screened, Trial
from probes.observable import OfAudited, Subject, choose_both_sides
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

LEAST_SAMPLES = 12
DECIDES = 0.3
"""Excess of predictions that follow above which a shortcut decides, if the gate has no bound."""
EVENLY = 0.25
"""Share of the intervals' error that all candidates share equally; the rest goes to those that did most on the samples
used for proposing."""
FIRST_LOOK = 0.2
"""Share of an interval's error that the first look spends, if a second one with more samples may follow."""
AGAIN = 4
"""Largest number of candidates that are tried again, those that did most in the first look: it bounds the cost."""


@dataclass(frozen=True, kw_only=True)
class ShortcutSearch(OfAudited):
    """Candidates of every family of the modality, and how many predictions follow them.

    Of the `samples` that are looked at first, a quarter are members that propose, a quarter members that give (donors),
    half held-out samples that receive (hosts). Families whose candidates take nothing from donors propose from all
    members. Candidates whose interval at `level` still holds `bound` then, at most
    AGAIN of them, are tried once more, with all of the `most` samples but those that proposed; held-out samples of the
    class are then donors, too. Each host receives from several donors where there are fewer hosts than half of `most`.

    Gives for each family F that the model's modality has `F.label` [found], `F.place` [found numbers] (those with fewer
    numbers end in NaN), the Counts of each (`F.paired` [found 4], `F.draws` [found], `F.together` [found], `F.part`
    [found 4], `F.part_together` [found], `F.part_shared` [found], `F.natural` [found 2], `F.natural_together` [found]
    and `F.natural_shared` [found]), `F.spent` [found] (the share of its
    interval's error that the look may spend), `F.weight` [found] (the share of that which is its own for the lower end,
    which is corrected for all candidates) and `F.held` [found] (share of the class in which the candidate is at least
    half as strong as in the median donor). For images, also the attribution in their parts."""

    samples: int = 480
    most: int = 1200
    steps: int = 4
    bound: float = DECIDES
    level: float = 0.95
    families: tuple[Family, ...] = ()
    """All installed families if none is given."""

    def of(self, modality: str) -> tuple[Family, ...]:
        families = self.families or tuple(FAMILIES.all().values())
        return tuple(one for one in families if modality in one.modalities)

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """Members, and as many held-out samples after them."""
        return choose_both_sides(pool, max(self.samples, self.most), rng)

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
        seed = int(rng.integers(2**32))
        looks = Looks(
            subject=subject, inputs=inputs, labels=labels, first=self.samples // 2, steps=self.steps, seed=seed
        )
        trial = Trial(subject=subject, proposing=looks.proposing, members=looks.everyone)
        tried = []
        for family in families:
            screened = trial.screen(family, rng)
            tried += [
                Tried(family=family, candidate=one, screened=screened, promise=excess)
                for one, excess in screened.chosen
            ]
        weight = weights([one.promise for one in tried])
        confirming = Confirming(search=self, trial=trial, looks=looks, rng=rng)
        found = confirming.of([dataclasses.replace(one, weight=float(w)) for one, w in zip(tried, weight, strict=True)])
        arrays = {key: value for family in families for key, value in _arrays(family, found).items()}
        shown = looks.shown
        if subject.modality == "image" and shown.mass is not None and shown.mass.ndim == 3:
            arrays |= attribution_in_parts(shown.mass, shown.inputs.cpu().numpy())
        return {**arrays, "members": looks.members}


def weights(promise: Sequence[float]) -> Float[np.ndarray, " candidates"]:
    """Each candidate's share of the intervals' error, by its excess on the samples used for proposing, which are
    independent of those that confirm: weighted Bonferroni (Genovese, Roeder & Wasserman 2006). They add up to 1.

    >>> weights([0.5, 0.05, -0.1]).round(2)
    array([0.83, 0.09, 0.08])
    """
    squared = np.maximum(np.asarray(promise, dtype=np.float64), 0.0) ** 2
    count = max(1, len(squared))
    own = squared / squared.sum() if squared.sum() > 0 else np.full(len(squared), 1 / count)
    return np.asarray(EVENLY / count + (1 - EVENLY) * own)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A candidate, what it was screened among and its excess there; with `counts` if it was confirmed."""

    family: Family
    candidate: Candidate
    screened: Screened
    promise: float
    weight: float = 1.0
    counts: Counts | None = None
    rivals: tuple[Candidate, ...] = ()
    spent: float = 1.0
    held: float = float("nan")

    @property
    def excess(self) -> float:
        assert self.counts is not None
        return self.counts.excess(0.95).value


@dataclass(frozen=True, kw_only=True, eq=False)
class Confirming:
    """One look, and a second at what the first leaves undecided; the lower ends of intervals are corrected for all
    candidates (weighted Bonferroni), and both ends for the two looks."""

    search: ShortcutSearch
    trial: Trial
    looks: Looks
    rng: np.random.Generator

    def of(self, tried: Sequence[Tried]) -> list[Tried]:
        """Those that could be tried, in their order."""
        if not self.looks.more:
            looked = [self._look(one, self._all(one), 1.0, self._trials) for one in tried]
            return [one for one in looked if one is not None]
        found = [one for one in (self._look(one, self._first, FIRST_LOOK) for one in tried) if one is not None]
        order = sorted((i for i, one in enumerate(found) if self._open(one)), key=lambda i: -found[i].excess)
        for i in order[:AGAIN]:
            found[i] = self._look(found[i], self._all(found[i]), 1 - FIRST_LOOK, self._trials) or found[i]
        return found

    @property
    def _trials(self) -> int:
        return self.search.most // 2

    def _all(self, one: Tried) -> Sides:
        """All samples; attributions, where the family needs them, beyond the first look only of classes that give."""
        hosts = self.looks.receiving_all
        if one.family.attributed:
            mine = one.candidate.label
            others = sorted({rival.label for rival in one.rivals} - {mine})
            members, more = self.looks.giving, self.looks.more_of(mine, others)
        else:
            members, more = self.looks.giving_all, hosts
        return Sides(giving=joined(members, more), receiving=hosts, answers=self._answers, shared=len(more))

    @cached_property
    def _first(self) -> Sides:
        return self.trial.sides(self.looks.giving, self.looks.receiving)

    @cached_property
    def _answers(self) -> Int[np.ndarray, " receiving"]:
        return self.trial.ask(self.looks.receiving_all.inputs)

    def _look(self, one: Tried, sides: Sides, spent: float, trials: int = 0) -> Tried | None:
        """Natural evidence is used only if the matched control alone does not show that nothing decides. The second
        look compares what was strongest in the first."""
        trial, family = self.trial, one.family
        paired = trial.confirm(family, one.candidate, sides, self.rng, trials)
        if paired is None:
            return None
        counts, rivals = paired.counts, one.rivals
        if counts.over_control(self._level(spent)).high >= self.search.bound:
            rivals = (
                trial.strongest(family, rivals, sides, self.rng)
                if rivals
                else trial.rivals(family, one.candidate, sides, self.rng, one.screened)
            )
            if rivals:
                counts = trial.beside(paired, family, rivals[0], sides, self.rng, trials)
        held = trial.held(family, one.candidate, sides.giving)
        return dataclasses.replace(one, counts=counts, spent=spent, held=held, rivals=rivals)

    def _open(self, one: Tried) -> bool:
        assert one.counts is not None
        low = one.counts.excess(self._level(FIRST_LOOK * one.weight)).low
        return low <= self.search.bound <= one.counts.excess(self._level(FIRST_LOOK)).high

    def _level(self, spent: float) -> float:
        return 1 - spent * (1 - self.search.level)


def _arrays(family: Family, found: Sequence[Tried]) -> dict[str, Shaped[np.ndarray, "..."]]:
    mine = [(one, one.counts) for one in found if one.family is family and one.counts is not None]
    if not mine:
        return {}
    counts = [each for _, each in mine]
    columns = {
        "label": np.array([one.candidate.label for one, _ in mine], dtype=np.int64),
        "place": _places([one.candidate.place for one, _ in mine]),
        "paired": np.array([each.paired for each in counts], dtype=np.int64),
        "draws": np.array([each.draws for each in counts], dtype=np.int64),
        "together": np.array([each.together for each in counts], dtype=np.float64),
        "part": np.array([each.part for each in counts], dtype=np.int64),
        "part_together": np.array([each.part_together for each in counts], dtype=np.float64),
        "part_shared": np.array([each.part_shared for each in counts], dtype=np.float64),
        "natural": np.array([each.natural for each in counts], dtype=np.int64),
        "natural_together": np.array([each.natural_together for each in counts], dtype=np.float64),
        "natural_shared": np.array([each.natural_shared for each in counts], dtype=np.float64),
        "spent": np.array([one.spent for one, _ in mine], dtype=np.float64),
        "weight": np.array([one.weight for one, _ in mine], dtype=np.float64),
        "held": np.array([one.held for one, _ in mine], dtype=np.float64),
    }
    return {f"{family.name}.{key}": value for key, value in columns.items()}


def _places(places: Sequence[tuple[float, ...]]) -> Float[np.ndarray, "found numbers"]:
    """Places of a family may differ in length: a word, and a pair of words."""
    found = np.full((len(places), max(map(len, places))), np.nan)
    for row, place in zip(found, places, strict=True):
        row[: len(place)] = place
    return found
