"""Networks that have no parameters yet, or that cannot be taken apart."""

from __future__ import annotations

import torch
from torch import nn

from probes.errors import RecipeError


def unwrapped(network: nn.Module) -> nn.Module:
    """The network within wrappers that only spread or compile it: replicas are trained one by one, and observed.

    >>> unwrapped(nn.DataParallel(nn.Linear(2, 3)))
    Linear(in_features=2, out_features=3, bias=True)
    """
    while True:
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            network = network.module
        elif type(network).__module__.startswith("torch._dynamo"):  # which importing would take seconds
            network = network.get_submodule("_orig_mod")
        else:
            return network


def refuse_unbuilt(network: nn.Module, name: str, where: str) -> None:
    """Raises RecipeError for a TorchScript program, and for lazy, meta and quantised layers: nothing can be trained."""
    if isinstance(network, torch.jit.ScriptModule):
        raise RecipeError(
            f"{name} is a TorchScript program, which cannot be observed.",
            where=where,
            do="Give the torch.nn.Module that it was made from.",
        )
    for key, value in network.named_parameters():
        if isinstance(value, nn.parameter.UninitializedParameter):
            reason = "is lazy and has no shape yet", "Call the network once on a sample first."
        elif value.is_meta:
            reason = "is on the meta device and has no values", "Build the network on the CPU."
        else:
            continue
        raise RecipeError(f"{name}: {key} {reason[0]}.", where=where, do=reason[1])
    if not any(True for _ in network.parameters()):
        raise RecipeError(f"{name} has no parameters.", where=where, do="Give a network that can be trained.")
