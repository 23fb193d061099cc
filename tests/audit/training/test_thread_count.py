"""Small networks are trained on one thread, large ones on two, whatever the machine."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from audit.training import thread_count
from audit.training.experiment import Experiment
from audit.training.prepare import run
from audit.training.thread_count import threads_for


def test_the_bound_is_operations_of_a_layer(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    network = experiment.begin(experiment.audited_row()).network.eval()
    layers = [module for module in network.modules() if list(module.parameters(recurse=False))]
    with FlopCounterMode(display=False) as counter:
        network(experiment.inputs[: experiment.recipe.train.batch_size])
    each = counter.get_total_flops() / len(layers)
    assert each > 0
    assert threads_for(experiment) == 1
    monkeypatch.setattr(thread_count, "LARGE", each * 0.99)
    assert threads_for(dataclasses.replace(experiment)) == 2


def test_attention_counts() -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True).eval()
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(8, 16, 32))
    assert counter.get_total_flops() > 2 * 8 * 16 * (4 * 32 * 32 + 2 * 32 * 64)


@pytest.mark.parametrize("number", [1, 2])
def test_it_is_trained_on_that_many_and_the_callers_setting_returns(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    seen: list[int] = []
    before = torch.get_num_threads()
    monkeypatch.setattr("audit.training.prepare.threads_for", lambda one: number)
    run(experiment, "target", lambda *_: seen.append(torch.get_num_threads()))
    assert set(seen) == {number}
    assert torch.get_num_threads() == before


def test_counting_leaves_the_generator_as_it_was(experiment: Experiment) -> None:
    def draw() -> Tensor:
        torch.manual_seed(3)
        threads_for(experiment)
        return torch.rand(2)

    torch.manual_seed(3)
    assert torch.equal(torch.rand(2), draw())
