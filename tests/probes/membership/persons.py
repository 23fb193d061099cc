"""Forty persons with several records each, some of whom are memorised: how often intervals contain the truth.

    python -m tests.probes.membership.persons [DRAWS]

prints rows of docs/membership.md. The persons are held and models are drawn; the truth is the rate over all draws at
the threshold that models without the person set in all draws together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from probes.answers import Answers, answers
from probes.evidence import Evidence
from probes.membership.person import person_part
from probes.membership.persons import persons_of
from probes.membership.recipe_level import calibrated, stand_ins
from probes.plan import Pool, Splits
from probes.population import Population
from tests.probes.membership.worlds import stack

PERSONS = 40


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """`remembered` of forty persons move the margins of all their records by `leak` nats when a model trains on them;
    the others by nothing. A person has 1 to `most` records. Persons are drawn from `seed`, models from `models`."""

    leak: float
    remembered: int
    seed: int = 0
    models: int = 0
    repeats: int = 8
    most: int = 5

    def evidence(self) -> Evidence:
        rng = np.random.default_rng(self.seed)
        groups = np.repeat(np.arange(PERSONS), rng.integers(1, self.most + 1, PERSONS))
        n = len(groups)
        member = np.isin(groups, rng.permutation(PERSONS)[: PERSONS // 2])
        pool = Pool(
            labels=rng.integers(0, 2, n),
            member=member,
            held_out=~member,
            validation=np.zeros(n, dtype=bool),
            groups=groups,
        )
        leak = np.where(groups < self.remembered, self.leak, 0.0)
        difficulty = rng.normal(1, 1.5, n)
        drawn = np.random.default_rng([self.seed, self.models])
        rows = list(Splits(repeats=self.repeats).rows(pool, drawn))

        def model(keep: np.ndarray) -> Answers:
            logits = np.zeros((1, n, 2))
            logits[0, np.arange(n), pool.labels] = difficulty + leak * keep + drawn.normal(0, 0.7, n)
            return answers(logits, pool.labels)

        return Evidence(
            pool=pool,
            classes=("a", "b"),
            audited=model(member),
            population=Population(rows=tuple(rows), answers=stack([model(row.keep) for row in rows], n)),
            inputs=np.zeros((n, 1), dtype=np.float32),
            modality="table",
            group_names=tuple(f"patient {number}" for number in range(PERSONS)),
        )


def truth(drawn: list[Evidence], *, by_person: bool) -> float:
    """The rate of the person (or record) whom the strongest attack recognises most often, over all draws."""
    scores: dict[str, list[np.ndarray]] = {}
    keeps = []
    for evidence in drawn:
        population, persons = evidence.population, persons_of(evidence)
        assert persons is not None
        keep = population.keep[:, evidence.pool.indices]
        found = stand_ins(evidence, population)
        found = persons.every(found) if by_person else found
        keeps.append(persons.kept(keep) if by_person else keep)
        for attack, one in found.items():
            scores.setdefault(attack, []).append(calibrated(one, keeps[-1], population.order))
    keep = np.concatenate(keeps)
    return max(_largest(np.concatenate(one), keep) for one in scores.values())


def _largest(scores: np.ndarray, keep: np.ndarray) -> float:
    above = scores > np.quantile(scores[~keep], 0.99)
    return float(((above & keep).sum(axis=0) / keep.sum(axis=0)).max())


def coverage(leak: float, remembered: int, repeats: int, draws: int) -> dict[str, float]:
    """How often the intervals of the worst person and the worst record hold the truth, how often persons are said to be
    singled out, and how often somebody is named who is not remembered."""
    drawn = [Crowd(leak=leak, remembered=remembered, models=m, repeats=repeats).evidence() for m in range(draws)]
    names = {"person.worst": True, "person.worst_record": False}
    truths = {name: truth(drawn, by_person=by_person) for name, by_person in names.items()}
    truths["person.worst_exposure"] = leak if remembered else 0.0
    counted = dict.fromkeys([*truths, "shown", "wrongly"], 0)
    for evidence in drawn:
        stood = stand_ins(evidence, evidence.population)
        part = person_part(
            evidence, evidence.population, {"loss": evidence.audited.margin[0].astype(np.float64)}, stood, 0.95
        )
        by_name = {one.name: one for one in part.estimates}
        for name, value in truths.items():
            counted[name] += by_name[name].low <= value <= by_name[name].high
        counted["shown"] += part.findings[0].code == "membership.persons-singled-out"
        groups = evidence.pool.groups
        assert groups is not None
        counted["wrongly"] += any(groups[sample] >= remembered for sample in part.findings[0].samples)
    return {**{name: count / draws for name, count in counted.items()}, **{f"true {k}": v for k, v in truths.items()}}


def rows(draws: int) -> Iterator[str]:
    for leak, remembered in ((0.0, 0), (0.7, 8), (1.5, 4), (3.0, 1)):
        for repeats in (4, 8):
            found = coverage(leak, remembered, repeats, draws)
            shown = " | ".join(f"{value:.1%}" for value in found.values())
            yield f"| {leak:g} nats, {remembered} persons | {repeats} | {shown} |"


if __name__ == "__main__":
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 300):
        print(row, flush=True)
