"""Several sets of weights in one network: the same answers as one after another, with less work."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call

from probes.forgetting.mixed_weights import Mixed


class Skipping(nn.Module):
    """The last block's weights differ; its input, and an earlier value, are read behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last, self.head = (nn.Linear(6, 6) for _ in range(4))
        self.scale = nn.Parameter(torch.ones(6))

    def forward(self, x: Tensor) -> Tensor:
        early = torch.relu(self.first(x))
        middle = torch.relu(self.second(early))
        answer: Tensor = self.head(torch.relu(self.last(middle)) * self.scale + middle + early)
        return answer


def test_each_set_gives_the_answers_of_the_network_with_it() -> None:
    torch.manual_seed(0)
    network, inputs = Skipping().eval(), torch.randn(5, 6)
    sets = [{"last.weight": torch.randn(6, 6), "scale": torch.randn(6)} for _ in range(3)]
    with torch.no_grad():
        expected = torch.stack([functional_call(network, one, (inputs,)) for one in sets])
    traced = fx.symbolic_trace(network)
    calls = {"first": 0, "second": 0, "last": 0, "head": 0}
    for name in calls:

        def count(_module: nn.Module, _given: object, _output: object, name: str = name) -> None:
            calls[name] += 1

        traced.get_submodule(name).register_forward_hook(count)
    mixed = Mixed(traced, sets)
    assert torch.equal(mixed(inputs), expected)
    assert calls == {"first": 1, "second": 1, "last": 3, "head": 3}
    assert not torch.equal(mixed(inputs + 1), expected)  # nothing is kept for other inputs
    assert torch.equal(mixed(inputs), expected)
    assert torch.equal(Mixed(network, sets)(inputs), expected)  # a network that was not traced
