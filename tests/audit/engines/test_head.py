"""The head engine against the visible loop, for everything it says it can do."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from audit.engines.head import Head
from audit.engines.registry import choose
from audit.population.populate import rows_of
from audit.training.loop import fine_tune, predict_views
from probes.plan import Plan, Row, Shuffled, Sizes, Splits
from tests.audit.trained import SHORT as TRAIN
from tests.audit.trained import with_weights

TOLERANCE = 1e-4
"""Of the largest logit: sums are taken in another order."""

RECIPES = {
    "plain": {},
    "one class of optimizers": {"train": TRAIN | {"optimizer": "adam", "lr": 0.01}},
    "another": {"train": TRAIN | {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.1}},
    "decay": {"train": TRAIN | {"weight_decay": 0.01, "momentum": 0.5}},
    "schedule": {"train": TRAIN | {"schedule": "cosine", "warmup_epochs": 1.5, "label_smoothing": 0.1}},
    "clipped": {"train": TRAIN | {"clip_norm": 0.05}},
    "penalties": {"regularise": {"l1": 1e-3, "l2": 1e-2, "l2_head": 1e-2, "l2_sp": 0.1, "on": "weights"}},
    "best epoch": {"train": TRAIN | {"lr": 0.5, "select": "best"}},
    "early stopping": {"train": TRAIN | {"lr": 0.5, "patience": 1}},
    "tiny minibatches": {"train": {"epochs": 2, "batch_size": 2, "optimizer": "adam", "lr": 0.01}},
}


def replicas_of(experiment: object) -> list[Row]:
    plan = Plan.of(Splits(repeats=2), Sizes(shares=(0.25, 0.3), repeats=1), Shuffled(replicas=1))
    return rows_of(plan, experiment.pool, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES.keys())
def test_the_visible_loops_replicas(changes: dict[str, object], tmp_path: Path) -> None:
    experiment = with_weights(**{"transfer": "features", "train": TRAIN} | changes)
    rows = replicas_of(experiment)
    assert choose(experiment, rows[0]).engine.name == "head"
    materialised = Head().materialise(experiment, rows[0], tmp_path)
    batches = Head().together(experiment, rows)
    assert sorted(row.name for batch in batches for row in batch) == sorted(row.name for row in rows)
    assert max(len(batch) for batch in batches) > 1
    for outcome in (outcome for batch in batches for outcome in Head().train(materialised, batch)):
        visible = fine_tune(experiment, outcome.row)
        expected = predict_views(visible.network, experiment)
        assert np.abs(outcome.logits - expected).max() <= TOLERANCE * np.abs(expected).max()
        whole = visible.network.state_dict()
        assert all(np.allclose(value, whole[name], atol=1e-4) for name, value in outcome.state.items())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"regularise": {"bss": 0.1}}, "BSS"),
        ({"privacy": {"noise_multiplier": 1.0}}, "privacy"),
        ({"head": {"dropout": 0.5}}, "dropout"),
        ({"head": {"factory": "small_networks:mlp_head"}}, "custom head"),
        ({"transfer": "last:1"}, "more than one linear layer"),
    ],
)
def test_what_it_cannot_do_exactly_it_refuses(changes: dict[str, object], why: str) -> None:
    experiment = with_weights(**{"transfer": "features"} | changes)
    assert why in choose(experiment, experiment.audited_row()).refused["head"]


def test_a_batch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = with_weights(transfer="features")
    rows = [dataclasses.replace(experiment.audited_row(), fold=fold) for fold in range(7)]
    monkeypatch.setattr("audit.engines.head.LARGEST", 5 * 50 * 3)
    assert [len(batch) for batch in Head().together(experiment, rows)] == [3, 3, 1]
