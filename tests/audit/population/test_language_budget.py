"""What a budget leaves of a language model's replicas: fewer rounds, then repeated folds alone."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

from pathlib import Path

from audit.population import language_budget
from audit.population.language_budget import Cost, afford
from probes.errors import ConfigError
from probes.plan import Plan, Seeds, Sizes, Splits
from tests.audit import language_models

PLAN = Plan.of(Splits(repeats=4), Seeds(replicas=3), Sizes(repeats=2))


def kept(seconds: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The rounds of each design if every replica takes a second."""
    monkeypatch.setattr(language_budget, "cost_of", lambda task, rows: Cost(step=0.0, asking=1.0))
    plan, said = afford(language_models.task(1, train=False), PLAN, float(seconds), 0, folder)
    assert bool(said) == (plan != PLAN)
    return {design.name: design.rounds for design in plan.designs}


def test_a_large_budget_leaves_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(100, tmp_path, monkeypatch) == {"splits": 4, "seeds": 3, "sizes": 2}


def test_a_smaller_one_leaves_fewer_rounds_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept(10, tmp_path, monkeypatch) == {"splits": 2, "seeds": 2, "sizes": 2}


def test_the_smallest_leaves_two_rounds_of_folds_and_is_chosen_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept(4, tmp_path, monkeypatch) == {"splits": 2}
    monkeypatch.setattr(language_budget, "_fitted", lambda *given: 0)
    assert kept(4, tmp_path, monkeypatch) == {"splits": 2}


def test_one_that_buys_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_budget, "MOST_OVER", 0.0)
    with pytest.raises(ConfigError, match="4 replicas of this model take about"):
        kept(1, tmp_path, monkeypatch)
