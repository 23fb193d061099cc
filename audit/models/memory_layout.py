"""The order in memory in which convolutions are fastest on a CPU."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from audit.models.graph_rewrite import TOLERANCE
from audit.runtime.randomness import drawing


def to_channels_last(network: nn.Module, example: Shaped[Tensor, "batch ..."]) -> bool:
    """Change the network's weights to channels-last order, in place, and say whether that was possible.

    It is not where the network has no weights of two-dimensional convolutions, or where its code requires the other
    order (`x.view(len(x), -1)` behind a convolution): then nothing is changed.

    >>> to_channels_last(nn.Conv2d(3, 4, 3), torch.zeros(2, 3, 8, 8))
    True
    >>> to_channels_last(nn.Linear(3, 4), torch.zeros(2, 3))
    False
    """
    tensors = [*network.parameters(), *network.buffers()]
    if not any(tensor.ndim == 4 for tensor in tensors) or any(tensor.ndim == 5 for tensor in tensors):
        return False
    before = [tensor.data for tensor in tensors]
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad(), drawing():
            outputs = network(example)
            network.to(memory_format=torch.channels_last)
            changed = network(example)
        difference = (changed - outputs).abs().max()
        fits = bool(difference <= TOLERANCE * outputs.abs().max().clamp(min=1e-6))
    except Exception:  # the network's own code, which may raise anything; who runs it next reports it
        fits = False
    for module, training in modes:
        module.training = training
    if not fits:
        for tensor, data in zip(tensors, before, strict=True):
            tensor.data = data
    return fits
