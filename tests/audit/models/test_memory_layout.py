from __future__ import annotations

import torch
from torch import Tensor, nn

from audit.models.memory_layout import channels_last


def convolutions(*behind: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), *behind).eval()


class Viewed(nn.Module):
    """Fits one order in memory alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1)


def last(network: nn.Module) -> list[bool]:
    return [
        one.weight.is_contiguous(memory_format=torch.channels_last)
        for one in network.modules()
        if isinstance(one, nn.Conv2d)
    ]


def test_convolutions_change_their_order_and_not_their_outputs() -> None:
    images = torch.randn(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    network = convolutions(nn.Flatten(), nn.Linear(384, 2))
    before = network(images).detach()
    assert channels_last(network, images[:2]) is network
    assert last(network) == [True, True]
    assert torch.allclose(network(images), before, atol=1e-6)


def test_a_network_whose_code_demands_the_other_order_keeps_it() -> None:
    images = torch.randn(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    network = convolutions(Viewed())
    before = network(images).detach()
    channels_last(network, images[:2])
    assert last(network) == [False, False]
    assert torch.equal(network(images), before)


def test_a_network_without_convolutions_of_images_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Flatten(), nn.Linear(40, 2)).eval()
    assert channels_last(network, torch.zeros(2, 3, 12)) is network
