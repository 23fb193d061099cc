"""A budget's population is the plan's first rounds, and the same when the run is started again."""

import dataclasses
from pathlib import Path

import pytest

from audit.population import budget as module
from audit.population.budget import afford
from audit.population.cost_model import Fitted, fit
from audit.training.experiment import Experiment
from probes.errors import ConfigError, StoreError
from probes.plan import Plan, Seeds, Splits
from probes.texts import said

PLAN = Plan.of(Splits(repeats=6), Seeds(replicas=3))


def test_what_was_given_up_is_said_with_what_it_costs(experiment: Experiment, tmp_path: Path) -> None:
    scarce = afford(experiment, PLAN, 0.001, 0, 1, tmp_path)
    assert scarce.plan == Plan.of(Splits(repeats=3), Seeds(replicas=3))
    (limit,) = scarce.limits
    assert "3 of 6 splits rounds" in said(limit)
    assert "an accuracy gap of 0." in said(limit)
    assert "Fewer would not be a valid population" in scarce.foreseen
    plenty = afford(experiment, PLAN, 1e6, 0, 1, tmp_path)
    assert (plenty.plan, plenty.limits) == (PLAN, ())


def test_a_run_started_again_does_not_fit_anew(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = []

    def fit_and_count(*arguments: object) -> Fitted:
        timed.append(arguments)
        return fit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "fit", fit_and_count)
    first = afford(experiment, PLAN, 0.001, 0, 1, tmp_path)
    again = afford(experiment, PLAN, 0.001, 0, 1, tmp_path)
    assert (again.plan, again.limits) == (first.plan, first.limits)
    assert len(timed) == 1
    for path in (tmp_path / "plans").iterdir():
        path.write_text("{ cut off")
    assert afford(experiment, PLAN, 0.001, 0, 1, tmp_path).plan == first.plan
    afford(experiment, PLAN, 0.002, 0, 1, tmp_path)
    assert len(timed) == 3


def test_two_runs_that_fit_at_once_have_one_population(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit_as_the_other_is_done(*arguments: object) -> Fitted:
        with monkeypatch.context() as other:
            other.setattr(module, "fit", lambda *_: fit(experiment, PLAN, 1e6, 0, 1))
            assert afford(experiment, PLAN, 0.001, 0, 1, tmp_path).plan == PLAN
        return fit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "fit", fit_as_the_other_is_done)
    assert afford(experiment, PLAN, 0.001, 0, 1, tmp_path).plan == PLAN


def test_a_store_that_cannot_be_written_is_one_line(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="--store"):
        afford(experiment, PLAN, 0.001, 0, 1, tmp_path)


def test_a_budget_that_no_valid_population_fits_ends_before_anything_is_trained(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = fit(experiment, PLAN, 1e6, 0, 1)
    half_an_hour = dataclasses.replace(small, price=dataclasses.replace(small.price, seconds=1800.0))
    monkeypatch.setattr(module, "fit", lambda *_: half_an_hour)
    with pytest.raises(ConfigError, match=r"40s are not enough for a valid population: .* take about 30m"):
        afford(experiment, PLAN, 40.0, 0, 1, tmp_path)
    assert afford(experiment, PLAN, 1000.0, 0, 1, tmp_path).plan == PLAN
