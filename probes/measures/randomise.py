"""Networks without a memory: parameters drawn anew (Adebayo et al. 2018), all of them or from the top down."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def randomised(network: nn.Module, rng: np.random.Generator, only: Collection[str] | None = None) -> nn.Module:
    """A copy whose every layer (or `only` those) is initialised again; running statistics start anew.

    Parameters of modules without an initialiser of their own are permuted, which keeps their scale.
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
    """A copy randomised from the head downwards: the head, and `depth` of the other layers with parameters."""
    layers = [name for name, module in network.named_modules() if any(True for _ in module.parameters(recurse=False))]
    count = 1 + round(depth * (len(layers) - 1))
    return randomised(network, rng, only=frozenset(layers[len(layers) - count :]))
