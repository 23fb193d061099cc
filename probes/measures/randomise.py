"""Networks with parameters re-initialised (Adebayo et al. 2018), all of them or from the top down."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def randomised(network: nn.Module, rng: np.random.Generator, only: Collection[str] | None = None) -> nn.Module:
    """A copy whose layers are initialised again; running statistics start anew.

    network  is left as it is
    rng      draws the initial values
    only     dotted names of the layers that are initialised again; None, the default, for all

    Parameters of modules without their own initialiser are permuted, which keeps their scale.

    Returns the copy.

    >>> from torch import nn
    >>> network = nn.Linear(3, 2)
    >>> bool((randomised(network, np.random.default_rng(0)).weight == network.weight).any())
    False
    """
    import torch

    fresh = copy.deepcopy(network)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        for name, module in fresh.named_modules():
            if only is not None and name not in only:
                continue
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), device=parameter.device)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return fresh.eval()


def cascade(network: nn.Module, depth: float, rng: np.random.Generator) -> nn.Module:
    """A copy randomised from the head downwards: the head, and a share of the other layers with parameters (Adebayo et
    al. 2018).

    network  is left as it is
    depth    share of the layers below the head, in [0, 1]
    rng      draws the initial values

    Returns the copy.

    >>> from torch import nn
    >>> network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    >>> half = cascade(network, 0.0, np.random.default_rng(0))
    >>> bool((half[0].weight == network[0].weight).all()), bool((half[1].weight == network[1].weight).all())
    (True, False)
    """
    layers = [name for name, module in network.named_modules() if any(True for _ in module.parameters(recurse=False))]
    count = 1 + round(depth * (len(layers) - 1))
    return randomised(network, rng, only=frozenset(layers[len(layers) - count :]))
