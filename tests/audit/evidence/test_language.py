"""From a fine-tuned language model to a verdict on leakage: one memorised its members, one did not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")

from audit.evidence.language import language_evidence
from audit.population.epoch_curve import epoch_curve
from audit.population.populate import rows_of
from audit.storage.store import Store
from probes.evidence import Evidence
from probes.membership import Membership
from probes.plan import Plan, Sizes, Splits
from tests.audit import language_models

PLAN = Plan.of(Splits(repeats=3))


def evidence_of(epochs: int) -> Evidence:
    task = language_models.task(epochs)
    return language_evidence(task, rows_of(PLAN, task.pool, 0), 0)


@pytest.fixture(scope="module")
def by_heart() -> Evidence:
    return evidence_of(120)


def test_a_model_that_memorised_its_members_leaks(by_heart: Evidence) -> None:
    found = Membership(repeats=3)(by_heart, np.random.default_rng(0))
    each = {one.name: one.value for one in found.estimates if one.name.startswith("attack.")}
    assert found.findings[0].code == "membership.leaks"
    assert {"attack.zlib.auc", "attack.min-k-plus-plus.auc", "attack.error-zone.auc"} <= set(each)
    assert each["attack.likelihood-ratio.auc"] > 0.9
    assert each["attack.lira-online.auc"] > 0.9
    assert found["recipe.auc"].value > 0.9
    assert found["recipe.auc"].low > 0.5  # six models: how far above depends on the processor's last bits


def test_a_model_that_learnt_nothing_of_them_does_not() -> None:
    found = Membership(repeats=3)(evidence_of(1), np.random.default_rng(0))
    assert found.findings[0].code == "membership.quiet"
    assert found["recipe.auc"].value < 0.6


def test_what_is_trained_at_once_does_not_matter(by_heart: Evidence) -> None:
    task = language_models.task(3)
    rows = rows_of(PLAN, task.pool, 0)
    seen: list[int] = []
    one, many = (
        language_evidence(
            task, rows, 0, memory=memory, on_replica=lambda done, cached, total: seen.append(total - done)
        )
        for memory in (1, 1 << 40)
    )
    assert one.population.answers.margin == pytest.approx(many.population.answers.margin, abs=1e-3)
    assert seen == [*range(6, -1, -1)] * 2


def test_a_fold_is_asked_after_some_epochs_and_ends_as_its_replica(tmp_path: Path) -> None:
    task, store = language_models.task(3), Store(tmp_path)
    plan = PLAN | Plan.of(Sizes(shares=(0.5,), repeats=1))
    rows = [row for row in rows_of(plan, task.pool, 0) if row.design == "sizes" or row.repeat == 0]
    evidence = language_evidence(task, rows, 0, store=store)
    assert evidence.sequences is not None
    told, replicas = evidence.sequences.epochs, evidence.sequences.replicas
    assert told is not None
    assert replicas is not None
    assert told.epoch.tolist() == [1, 2, 3]
    first = next(place for place, row in enumerate(rows) if row.design == "splits")
    assert np.array_equal(told.kept, rows[first].keep)
    assert told.loss[-1] == pytest.approx(-replicas.average(replicas.log_prob)[first], abs=1e-3)
    again = epoch_curve(task, rows, 0, store)
    assert again is not None
    assert np.array_equal(again.loss, told.loss)
    assert epoch_curve(task, [row for row in rows if row.design == "splits"], 0, None) is None
