"""Moves weights back towards the source along a straight line (WiSE-FT, Wortsman et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


@torch.no_grad()
def towards(network: nn.Module, start: Mapping[str, Tensor], share: float) -> None:
    """Each of the network's floating-point tensors that `start` has (parameters and running statistics, by name)
    becomes (1 − share) · θ + share · θ_s, in place; a head that the source lacks is unchanged.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 2.0)
    >>> towards(layer, {"weight": torch.zeros(1, 1)}, share=0.25)
    >>> layer.weight.item()
    1.5
    """
    for name, value in network.state_dict(keep_vars=True).items():
        source = start.get(name)
        if source is not None and source.shape == value.shape and value.is_floating_point():
            value.lerp_(source.to(value), share)
