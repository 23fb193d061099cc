"""The tail engine against the visible loop, and the cut against whole networks."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.config.recipe import SourceSection, TransferSection
from audit.engines.base import Refused
from audit.engines.frozen_cut import cut
from audit.engines.registry import choose
from audit.engines.tail import Tail
from audit.models.source import Source
from audit.training.loop import fine_tune, predict_views
from audit.training.transfer_modes import begin
from tests.audit.trained import with_weights

NETWORKS = {
    "resnet18": ("features", "last:1", "last:2"),
    "squeezenet1_1": ("features", "last:1"),
    "mobilenet_v3_small": ("features", "last:2"),
    "shufflenet_v2_x0_5": ("last:1",),
    "densenet121": ("last:1",),
    "efficientnet_b0": ("features",),
}


@pytest.mark.parametrize(("name", "mode"), [(name, mode) for name, modes in NETWORKS.items() for mode in modes])
def test_prefix_and_tail_are_the_network(name: str, mode: str) -> None:
    source = Source(section=SourceSection(model=f"torchvision:{name}"), classes=1000, state=None)
    trainee = begin(source, TransferSection(mode=mode), 5, seed=1)
    parts = cut(trainee)
    example = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = trainee.network.eval()(example)
        assert torch.equal(parts.tail.eval()(parts.prefix.eval()(example)), expected)
    assert {name for name, _ in parts.tail.named_parameters()} >= set(trainee.trained)
    assert not {name for name, _ in parts.prefix.named_parameters()} & set(trainee.trained)


@pytest.mark.parametrize(
    "changes",
    [
        {"transfer": "last:1"},
        {"transfer": "features", "train": {"epochs": 3, "lr": 0.05, "batch_size": 25, "optimizer": "adam"}},
        {"transfer": "last:1", "head": {"dropout": 0.3}},
        {"transfer": "last:1", "regularise": {"l2_sp": 0.01, "l1": 1e-4, "bss": 1e-3}},
        {"transfer": "last:1", "privacy": {"noise_multiplier": 1.0}},
        {"transfer": "last:1", "train": {"epochs": 6, "batch_size": 25, "select": "best", "patience": 1}},
    ],
    ids=["plain", "adam", "dropout", "penalties", "dp", "early stopping"],
)
def test_tail_gives_the_visible_loops_replica_bit_for_bit(changes: dict[str, object], tmp_path: Path) -> None:
    experiment = with_weights(**changes)
    row = experiment.audited_row()
    materialised = Tail().materialise(experiment, row, tmp_path)
    (outcome,) = Tail().train(materialised, [row])
    visible = fine_tune(experiment, row)
    assert np.array_equal(outcome.logits, predict_views(visible.network, experiment))
    whole = visible.network.state_dict()
    assert outcome.state
    assert all(torch.equal(value, whole[name]) for name, value in outcome.state.items())


def test_dropout_is_active_only_in_the_trained_part() -> None:
    source = Source(section=SourceSection(model="torchvision:alexnet"), classes=10, state=None)
    trainee = begin(source, TransferSection(mode="last:1"), 5, seed=1)
    whole_modes = {name: m.training for name, m in trainee.network.named_modules() if isinstance(m, nn.Dropout)}
    trainee.train_mode()
    parts = cut(trainee)
    training = parts.training[frozenset(trainee.trained)]
    assert {name for name in whole_modes if trainee.network.get_submodule(name).training} == {
        name for name in whole_modes if name in training
    }


class Asks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return self.head(2 * x if self.training else x)


class Crosses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(x)
        return self.head(x) + self.other(x)[:, :2]


@pytest.mark.parametrize(("network", "why"), [(Asks(), "whether it is training"), (Crosses(), "2 activations")])
def test_a_network_that_cannot_be_cut_is_refused_with_a_reason(network: nn.Module, why: str) -> None:
    source = Source(section=SourceSection(model="torchvision:alexnet"), classes=10, state=None)
    trainee = begin(source, TransferSection(mode="features"), 5, seed=1)
    mine = dataclasses.replace(
        trainee,
        network=network,
        trained=("head.weight", "head.bias"),
        phases=(dataclasses.replace(trainee.phases[0], trained=("head.weight", "head.bias")),),
    )
    with pytest.raises(Refused, match=why):
        cut(mine)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"transfer": "parameters"}, "first layer is trained"),
        ({"transfer": "last:1", "augment": [{"name": "RandomHorizontalFlip"}]}, "augmentation"),
    ],
)
def test_the_full_engine_takes_what_the_tail_refuses(changes: dict[str, object], why: str) -> None:
    experiment = with_weights(**changes)
    choice = choose(experiment, experiment.audited_row())
    assert choice.engine.name == "full"
    assert why in choice.refused["tail"]
