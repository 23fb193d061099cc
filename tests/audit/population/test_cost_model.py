"""Prices are about what it then costs; power is what simulation finds; a budget cuts whole rounds."""

import dataclasses
import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from audit.population import cost_model
from audit.population.cost_model import RowGroup, fit, price
from audit.population.populate import populate, rows_of
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.plan import Plan, Rivals, Seeds, Splits
from probes.statistics.power import detectable_tpr, power
from probes.statistics.proportions import clopper_pearson
from tests.audit.conftest import small_experiment
from tests.audit.trained import with_weights

PLAN = Plan.of(Splits(repeats=6), Seeds(replicas=3), Rivals(kind="linear-probe", repeats=2))


def test_every_row_is_priced_once_and_by_its_engine() -> None:
    experiment = with_weights(transfer="last:1")
    rows = rows_of(PLAN, experiment.pool, 0)
    cost = price(experiment, rows, workers=2)
    assert {line.engine: dict(line.designs) for line in cost.lines} == {
        "stacked": {"seeds": 3, "splits": 12},
        "head": {"linear-probe": 4},
    }
    assert cost.rows == len(rows)
    assert cost.seconds > 0
    assert cost.bytes > len(rows) * len(experiment.dataset) * 24
    assert cost.disk == len(rows) * len(experiment.dataset) * 24  # in the store: no array here is large


def test_a_budget_keeps_whole_rounds_and_says_what_it_gave_up() -> None:
    experiment = small_experiment()
    plenty = fit(experiment, PLAN, 1e6, seed=0, workers=1)
    assert plenty.plan == PLAN
    assert not plenty.gave_up
    scarce = fit(experiment, PLAN, 0.0, seed=0, workers=1)
    assert scarce.gave_up == {"splits": (3, 6)}
    rows = {row.name: row.keep for row in rows_of(PLAN, experiment.pool, 0)}
    fewer = rows_of(scarce.plan, experiment.pool, 0)
    assert 0 < len(fewer) < len(rows)
    assert all(np.array_equal(row.keep, rows[row.name]) for row in fewer)


def test_more_replicas_find_smaller_effects(experiment: Experiment) -> None:
    few = power(experiment.pool, rows_of(Plan.of(Splits(repeats=3), Seeds(replicas=1)), experiment.pool, 0))
    many = power(experiment.pool, rows_of(Plan.of(Splits(repeats=20), Seeds(replicas=9)), experiment.pool, 0))
    assert few.accuracy_gap is not None
    assert many.accuracy_gap is not None
    assert many.accuracy_gap < few.accuracy_gap
    assert few.recipe_tpr is not None
    assert many.recipe_tpr is not None
    assert many.recipe_tpr < few.recipe_tpr
    nothing = power(experiment.pool, [])
    assert dataclasses.astuple(nothing) == (None, None, None)


def test_the_detectable_rate_is_detected_four_times_in_five() -> None:
    rate = detectable_tpr(400, 400)
    assert rate is not None
    _, high = clopper_pearson(4, 400, 0.95)
    hits = np.arange(401)
    detected = np.array([clopper_pearson(int(k), 400, 0.95)[0] > high for k in hits])
    assert stats.binom.pmf(hits, 400, rate)[detected].sum() == pytest.approx(0.8, abs=0.02)
    assert detectable_tpr(400, 50) is None


@pytest.mark.parametrize(
    ("run_in", "batches", "each", "workers", "seconds"),
    [
        ("spawned", 24, 0.25, 2, 6.0),
        ("spawned", 24, 1.0, 2, 12.0),
        ("spawned", 24, 1.0, 1, 24.0),
        ("spawned", 1, 60.0, 8, 60.0),
        ("spawned", 5, 60.0, 4, 120.0),
        ("forks", 24, 0.25, 2, 3.0),
        ("threads", 24, 0.25, 2, 3.0),
    ],
)
def test_processes_are_foreseen_where_the_executor_begins_them(
    run_in: Literal["threads", "forks", "spawned"], batches: int, each: float, workers: int, seconds: float
) -> None:
    line = RowGroup(
        designs={"splits": batches},
        engine="full",
        refused={},
        batches=batches,
        inputs_seconds=0.0,
        batch_seconds=each,
        batch_bytes=0,
        run_in=run_in,
    )
    assert line.seconds(workers) == seconds
    assert line.spawns(workers) == (run_in == "spawned" and seconds < batches * each)


def test_building_networks_does_not_grow_with_the_samples(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(*given: object) -> tuple[float, float]:
        return (0.2, 1000.0) if given[3] == 1 else (0.2, 0.0)

    rows = rows_of(Plan.of(Splits(repeats=2)), experiment.pool, 0)
    monkeypatch.setattr(cost_model, "_timed", timed)
    (line,) = price(experiment, rows, workers=1).lines
    n, kept, size = len(experiment.dataset), int(rows[0].keep.sum()), experiment.recipe.train.batch_size
    samples_of_the_trial = min(n, math.ceil(cost_model.TRIAL_STEPS * size * n / kept))
    assert line.batch_seconds == pytest.approx(1000 + 0.2 * n / samples_of_the_trial, rel=0.01)


def test_a_price_of_nothing(experiment: Experiment, tmp_path: Path) -> None:
    assert price(experiment, [], workers=1).seconds == 0
    assert len(populate(experiment, [], store=Store(tmp_path)).population) == 0
