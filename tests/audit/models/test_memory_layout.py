from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from audit.models.memory_layout import to_channels_last


def convolutions(*behind: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(), nn.Conv2d(4, 6, 3), *behind)


def images() -> Tensor:
    return torch.randn(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Viewed(nn.Module):
    """Fits one order in memory alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


def last(network: nn.Module) -> list[bool]:
    weights = [one.weight for one in network.modules() if isinstance(one, nn.Conv2d)]
    return [weight.is_contiguous(memory_format=torch.channels_last) for weight in weights]


def test_convolutions_change_their_order_and_not_their_outputs() -> None:
    network = convolutions(nn.Flatten(), nn.Linear(384, 2))
    network[0].eval()
    before = network.eval()(images())
    network.train()[0].eval()
    assert to_channels_last(network, images()[:2])
    assert last(network) == [True, True]
    assert [one.training for one in network] == [False, True, True, True, True]
    assert torch.allclose(network.eval()(images()), before, atol=1e-6)


@pytest.mark.parametrize("behind", [Viewed(), nn.Unflatten(1, (7, 2))], ids=["view", "raises"])
def test_a_network_whose_code_requires_the_other_order_keeps_it(behind: nn.Module) -> None:
    network = convolutions(behind)
    assert not to_channels_last(network, images()[:2])
    assert last(network) == [False, False]


def test_networks_of_other_dimensions_are_left_alone() -> None:
    assert not to_channels_last(nn.Conv1d(3, 4, 3), torch.zeros(2, 3, 12))
    assert not to_channels_last(nn.Conv3d(3, 4, 3), torch.zeros(2, 3, 8, 8, 8))
