"""Intruder dimensions: a planted direction is one, a change along the base's own directions is none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from audit.config.language_recipe import Adapter
from audit.evidence.intruders import count_intruders, intruders
from audit.trainers.lora import LoRALinear, with_adapters


@pytest.fixture
def weight() -> torch.Tensor:
    """64 input directions, of which the first 32 carry weight, decreasing with their index."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(64, 64, generator=generator)).Q
    return torch.cat([directions[:, :32] * torch.linspace(3, 1, 32), torch.zeros(64, 8)], dim=1)


def test_a_large_change_along_a_new_direction_is_an_intruder(weight: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    new = torch.linalg.qr(torch.randn(64, 64, generator=generator)).Q[:, 60:61]
    assert count_intruders(weight[:, :32], weight[:, :32] + 20 * new @ torch.ones(1, 32) / 32) >= 1


def test_more_of_what_was_there_is_none(weight: torch.Tensor) -> None:
    assert count_intruders(weight[:, :32], 1.5 * weight[:, :32]) == 0


def test_layers_are_counted_by_name_in_either_orientation() -> None:
    torch.manual_seed(0)
    base = nn.Sequential(nn.Linear(16, 24, bias=False))
    network = with_adapters(base, Adapter(rank=2, targets=("0",)), [0])
    assert intruders(network) == {"0": 0}
    layer = network[0]  # type: ignore[index]
    assert isinstance(layer, LoRALinear)
    layer.up.data.normal_(0, 50)
    assert sum(intruders(network).values()) >= 1
    assert intruders(base) == {}
