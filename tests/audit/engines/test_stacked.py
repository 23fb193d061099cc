"""The stacked engine against the visible loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from audit.engines.base import Refused
from audit.engines.registry import choose
from audit.engines.stacked import Stacked, dense
from audit.engines.stacked_network import Affine, forward_of
from audit.population.populate import rows_of
from audit.training.loop import fine_tune, predict_views
from probes.plan import Plan, Rivals, Shuffled, Sizes, Splits
from tests.audit.trained import SHORT as TRAIN
from tests.audit.trained import with_weights

TOLERANCE = 2e-3
"""Of the largest logit, after a few epochs: sums are taken in another order, and training carries that far."""

MLP = {"model": "stacked_networks:mlp", "options": {"hidden": 12}}
SCALED = {"model": "stacked_networks:scaled", "options": {"hidden": 12}}
RECIPES = {
    "plain": {},
    "adam": {"train": TRAIN | {"optimizer": "adam", "lr": 0.003}},
    "part frozen": {"transfer": "last:1"},
    "schedule": {"train": TRAIN | {"schedule": "linear", "warmup_epochs": 1, "label_smoothing": 0.1, "clip_norm": 0.5}},
    "penalties": {"regularise": {"l1": 1e-3, "l2": 1e-2, "l2_sp": 0.1, "on": "weights"}},
    "layer-wise": {"transfer": {"mode": "parameters", "lr_decay": 0.5}},
    "best epoch": {"train": TRAIN | {"lr": 0.06, "select": "best", "patience": 1}},
    "weights outside layers": {"source": SCALED},
    "tiny minibatches": {"train": {"epochs": 2, "batch_size": 2, "optimizer": "adam", "lr": 0.003}},
}

NETWORK = """
import torch
from torch import nn

def mlp(hidden, num_classes=10):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.Tanh(),
                         nn.LayerNorm(hidden), nn.Linear(hidden, num_classes))

class Scaled(nn.Module):
    def __init__(self, hidden, num_classes):
        super().__init__()
        self.body, self.head = mlp(hidden, hidden), nn.Linear(hidden, num_classes, bias=False)
        self.scale = nn.Parameter(torch.full((hidden,), 0.7))

    def forward(self, x):
        return self.head(self.scale * self.body(x))

def scaled(hidden, num_classes=10):
    return Scaled(hidden, num_classes)
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
    materialised = Stacked().materialise(experiment, rows[0], tmp_path)
    batches = Stacked().together(experiment, rows)
    assert max(len(batch) for batch in batches) == 4
    for outcome in (outcome for batch in batches for outcome in Stacked().train(materialised, batch)):
        visible = fine_tune(experiment, outcome.row)
        expected = predict_views(visible.network, experiment)
        assert np.abs(outcome.logits - expected).max() <= TOLERANCE * np.abs(expected).max()
        whole = visible.network.state_dict()
        assert all(np.allclose(value, whole[name], atol=5e-3) for name, value in outcome.state.items())


def test_from_scratch_too(tmp_path: Path) -> None:
    experiment = with_weights(source=MLP, train=TRAIN)
    (row, *_) = rows_of(Plan.of(Rivals(kind="scratch")), experiment.pool, 0)
    assert choose(experiment, row).engine.name == "stacked"
    (outcome,) = Stacked().train(Stacked().materialise(experiment, row, tmp_path), [row])
    expected = predict_views(fine_tune(experiment, row).network, experiment)
    assert np.abs(outcome.logits - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "Conv2d layers are not faster stacked"),
        ({"source": MLP, "transfer": {"mode": "lp-ft", "lp_epochs": 1}}, "phases"),
        ({"source": MLP, "head": {"dropout": 0.5}}, "dropout"),
    ],
)
def test_what_gains_nothing_or_is_not_exact_it_refuses(changes: dict[str, object], why: str) -> None:
    experiment = with_weights(**changes)
    assert why in choose(experiment, experiment.audited_row()).refused["stacked"]


def test_the_gradient_of_a_stacked_layer() -> None:
    drawn = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 5), (2, 4, 5), (2, 4))
    given = [torch.randn(shape, generator=drawn, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(Affine.apply, given)
    assert torch.autograd.gradcheck(lambda inputs, weight: Affine.apply(inputs, weight, None), given[:2])


class Centred(nn.Module):
    """Says other things of a sample in other company."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        answered: torch.Tensor = self.layer(inputs - inputs.mean(0))
        return answered


@pytest.mark.parametrize("network", [Centred(), nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 3))])
def test_stacked_or_not_each_replica_says_what_it_says_alone(network: nn.Module) -> None:
    drawn = torch.Generator().manual_seed(0)
    state = {name: torch.randn(5, *value.shape, generator=drawn) for name, value in network.state_dict().items()}
    inputs = torch.randn(5, 7, 4, generator=drawn)
    forward = forward_of(network, state, inputs.flatten(0, 1))
    assert ("_stacked" in forward.__qualname__) is not isinstance(network, Centred)
    alone = [
        functional_call(network, {name: value[number] for name, value in state.items()}, (mine,))
        for number, mine in enumerate(inputs)
    ]
    torch.testing.assert_close(forward(inputs), torch.stack(alone), rtol=1e-4, atol=1e-5)


def test_layers_that_share_their_weights_are_left_to_the_loop() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 2))
    dense(network)
    network[2].weight = network[0].weight
    with pytest.raises(Refused, match="share their weights"):
        dense(network)
