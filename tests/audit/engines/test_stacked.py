"""The stacked engine against the visible loop."""

from pathlib import Path

import numpy as np
import pytest

from audit.engines.choose import choose
from audit.engines.stacked import Stacked
from audit.population import rows_of
from audit.train import fine_tune, predict_views
from probes.plan import Plan, Rivals, Shuffled, Sizes, Splits
from tests.audit.engines.test_head import TRAIN
from tests.audit.engines.test_tail import with_weights

TOLERANCE = 2e-3
"""Of the largest logit, after a few epochs: sums are taken in another order, and training carries that far."""

MLP = {"model": "stacked_networks:mlp", "options": {"hidden": 12}}
RECIPES = {
    "plain": {},
    "adam": {"train": TRAIN | {"optimizer": "adam", "lr": 0.003}},
    "part frozen": {"transfer": "last:1"},
    "schedule": {"train": TRAIN | {"schedule": "linear", "warmup_epochs": 1, "label_smoothing": 0.1, "clip_norm": 0.5}},
    "penalties": {"regularise": {"l1": 1e-3, "l2": 1e-2, "l2_sp": 0.1, "on": "weights"}},
    "layer-wise": {"transfer": {"mode": "parameters", "lr_decay": 0.5}},
    "best epoch": {"train": TRAIN | {"lr": 0.06, "select": "best", "patience": 1}},
    "tiny minibatches": {"train": {"epochs": 2, "batch_size": 2, "optimizer": "adam", "lr": 0.003}},
}

NETWORK = """
from torch import nn

def mlp(hidden, num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.Tanh(),
                         nn.LayerNorm(hidden), nn.Linear(hidden, num_classes))
"""


@pytest.fixture(autouse=True)
def _network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stacked_networks.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("changes", RECIPES.values(), ids=RECIPES.keys())
def test_the_visible_loops_replicas(changes: dict[str, object], tmp_path: Path) -> None:
    experiment = with_weights(**{"source": MLP, "transfer": "parameters", "train": TRAIN} | changes)
    plan = Plan.of(Splits(repeats=2), Sizes(shares=(0.5,), repeats=1), Shuffled(replicas=1))
    rows = rows_of(plan, experiment.pool, 0)
    assert choose(experiment, rows[0]).engine.name == "stacked"
    stage = Stacked().stage(experiment, rows[0], tmp_path)
    batches = Stacked().together(experiment, rows)
    assert max(len(batch) for batch in batches) == 4
    for outcome in (outcome for batch in batches for outcome in Stacked().train(stage, batch)):
        visible = fine_tune(experiment, outcome.row)
        expected = predict_views(visible.network, experiment)
        assert np.abs(outcome.logits - expected).max() <= TOLERANCE * np.abs(expected).max()
        whole = visible.network.state_dict()
        assert all(np.allclose(value, whole[name], atol=5e-3) for name, value in outcome.state.items())


def test_from_scratch_too(tmp_path: Path) -> None:
    experiment = with_weights(source=MLP, train=TRAIN)
    (row, *_) = rows_of(Plan.of(Rivals(kind="scratch")), experiment.pool, 0)
    assert choose(experiment, row).engine.name == "stacked"
    (outcome,) = Stacked().train(Stacked().stage(experiment, row, tmp_path), [row])
    expected = predict_views(fine_tune(experiment, row).network, experiment)
    assert np.abs(outcome.logits - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "Conv2d is not faster stacked"),
        ({"source": MLP, "transfer": {"mode": "lp-ft", "lp_epochs": 1}}, "phases"),
        ({"source": MLP, "head": {"dropout": 0.5}}, "dropout"),
    ],
)
def test_what_gains_nothing_or_is_not_exact_it_refuses(changes: dict[str, object], why: str) -> None:
    experiment = with_weights(**changes)
    assert why in choose(experiment, experiment.audited_row()).refused["stacked"]
