"""A design that is none of ours passes through the budget, the store and the observations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.evidence.observe import ObservableModel, observe
from audit.population.budget import afford
from audit.population.populate import populate, rows_of
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.observable import Subject
from probes.plan import Design, Plan, Pool, Row
from probes.texts import said


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Random halves of the pool, a new one each turn; the second turn's networks are kept."""

    turns: int = 4
    name: str = "halves"
    stream: str = "halves"

    @property
    def rounds(self) -> int:
        return self.turns

    def capped(self, rounds: int) -> Halves:
        return dataclasses.replace(self, turns=min(self.turns, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return row.repeat == 1

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        for turn in range(self.turns):
            keep = np.zeros(len(pool.labels), dtype=bool)
            keep[rng.permutation(pool.indices)[: len(pool.indices) // 2]] = True
            yield Row(design=self.name, repeat=turn, fold=0, order=f"halves/{turn}", keep=keep)


@dataclass(frozen=True, kw_only=True)
class Sum:
    """The sum of a network's parameters."""

    @property
    def models(self) -> Mapping[str, int]:
        return {"halves": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> np.ndarray:
        return np.flatnonzero(pool.held_out)[:3]

    def __call__(self, subject: Subject, inputs: object, labels: object, rng: object) -> Mapping[str, np.ndarray]:
        return {"sum": np.array([sum(float(one.sum()) for one in subject.network.parameters())])}


def test_it_fits_a_budget_is_kept_and_looked_into(experiment: Experiment, tmp_path: Path) -> None:
    assert isinstance(Halves(), Design)
    plan = Plan.of(Halves(turns=4)) | Plan.of(Halves(turns=6))
    assert plan == Plan.of(Halves(turns=6))
    afforded = afford(experiment, plan, 0.001, 0, 1, tmp_path)
    assert afforded.plan == Plan.of(Halves(turns=3))
    assert "3 of 6 halves rounds" in said(afforded.limits[0])

    rows = rows_of(afforded.plan.capped(2), experiment.pool, 0)
    store = Store(tmp_path)
    replicas = populate(experiment, rows, store=store, workers=1)
    assert [replicas.has_network(row) for row in rows] == [False, True]
    again = populate(experiment, rows, store=store, workers=1)
    assert (again.population.answers.margin == replicas.population.answers.margin).all()

    kept = rows[1]
    model = ObservableModel(
        name=kept.name,
        role=kept.design,
        same_labels=True,
        build=lambda: replicas.network(kept),
    )
    seen = observe((Sum(),), experiment, [model], lambda *_: None, None, store)
    assert seen.errors == {}
    assert list(seen.seen[Sum()]) == ["halves/1/0"]
