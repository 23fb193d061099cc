"""Re-initialises parameters at random, by each layer's own initialisation."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from probes.errors import RecipeError


def redraw(network: nn.Module, only: Collection[str] | None = None, *, where: str = "audit.run") -> None:
    """Re-initialise from torch's current generator, in all modules or in those named.

    Raises RecipeError for a layer that has parameters but no `reset_parameters`.
    """
    for name, module in network.named_modules():
        if only is not None and name not in only:
            continue
        reset = getattr(module, "reset_parameters", getattr(module, "_reset_parameters", None))
        if callable(reset):
            reset()
        elif next(module.parameters(recurse=False), None) is not None and not by_library(network, module):
            raise RecipeError(
                f"{name or 'the network'} ({type(module).__name__}) cannot be re-initialised.",
                where=where,
                do="Give it a method reset_parameters, or train by a function of your own (docs/trainers.md).",
            )


def by_library(network: nn.Module, module: nn.Module) -> bool:
    """Initialises the module's parameters as transformers does for those that a checkpoint lacks; False if the network
    does not contain a model of that library."""
    for part in network.modules():
        if type(part).__module__.startswith("transformers.") and callable(draw := getattr(part, "_init_weights", None)):
            with torch.no_grad():
                draw(module)
            return True
    return False


def loaded(one: nn.Module, other: nn.Module) -> tuple[str, ...]:
    """Names of the weights that two networks share although they were made with different seeds: their code loaded
    these from somewhere. Constants, such as initial biases and normalisation, do not count."""
    others = dict(other.named_parameters())
    return tuple(
        name
        for name, value in one.named_parameters()
        if value.ndim > 1 and value.numel() > 1 and bool((value != value.flatten()[0]).any())
        and name in others and torch.equal(value, others[name])
    )  # fmt: skip
