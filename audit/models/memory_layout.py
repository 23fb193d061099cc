"""The order in memory that convolutions are fastest in on a processor."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from audit.models.graph_rewrite import TOLERANCE


def channels_last(network: nn.Module, example: Shaped[Tensor, "batch ..."]) -> nn.Module:
    """The network, in eval mode, with the weights of its two-dimensional convolutions changed in place to
    channels-last order, which their activations then take over.

    Left as it is where its forward code demands the other order (`x.view(len(x), -1)`) or its outputs for `example`
    differ.

    >>> layer = channels_last(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8))
    >>> layer.weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    layers = [one for one in network.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)]
    if not layers or example.device.type != "cpu":
        return network
    with torch.no_grad():
        before = [layer.weight.data for layer in layers]
        answers = network(example)
        for layer in layers:
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        try:
            difference = (network(example) - answers).abs().max()
            same = bool(difference <= TOLERANCE * answers.abs().max().clamp(min=1e-6))
        except RuntimeError:  # a view that does not fit
            same = False
        if not same:
            for layer, weight in zip(layers, before, strict=True):
                layer.weight.data = weight
    return network
