"""The ceiling of drift: the same network with its parameters drawn anew (Adebayo et al. 2018)."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def randomised(network: nn.Module, rng: np.random.Generator) -> nn.Module:
    """A copy whose every layer is initialised again; running statistics keep their shape and start anew.

    Parameters of modules without an initialiser of their own are permuted, which keeps their scale.
    """
    import torch

    fresh = copy.deepcopy(network)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        for module in fresh.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), device=parameter.device)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return fresh.eval()
