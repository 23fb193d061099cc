"""Engines are asked once about an experiment's rows; then the store knows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from audit.engines import registry
from audit.population import division_cache
from audit.population.schedule import schedule
from audit.storage.store import Store
from audit.training import experiment as experiments
from audit.training.experiment import Experiment
from tests.audit.population.populations import rows_for


def test_a_known_division_is_that_of_the_engines(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "package_of", lambda section: "small_networks 1.0")
    experiment, store = dataclasses.replace(experiment), Store(tmp_path)
    asked: list[str] = []
    monkeypatch.setattr(division_cache, "choose", lambda e, row: asked.append(row.name) or registry.choose(e, row))
    rows = rows_for(experiment)
    plain, first, again = (schedule(experiment, rows, kept) for kept in (None, store, store))
    kinds = len({registry.kind_of(row) for row in rows})
    assert len(asked) == 2 * kinds
    for one, other in ((plain, first), (first, again)):
        assert [batch.task.keys for batch in one] == [batch.task.keys for batch in other]
        assert [batch.choice.engine.name for batch in one] == [batch.choice.engine.name for batch in other]
        assert [dict(batch.choice.refused) for batch in one] == [dict(batch.choice.refused) for batch in other]
    schedule(experiment, rows[:-1], store)
    assert len(asked) > 2 * kinds


def test_networks_of_a_users_code_are_looked_at_each_time(experiment: Experiment, tmp_path: Path) -> None:
    schedule(experiment, rows_for(experiment), Store(tmp_path))
    assert list(Store(tmp_path).entries()) == []
