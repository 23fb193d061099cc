"""The classifier of any network: found, and replaced by one for the target's classes."""

from __future__ import annotations

from torch import nn

from probes.errors import RecipeError


def find_head(network: nn.Module) -> str:
    """The dotted name of the last layer that could be the classifier: a Linear, or SqueezeNet's last 1 × 1 Conv2d."""
    name = ""
    for candidate, module in network.named_modules():
        pointwise = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and "classifier" in candidate
        if isinstance(module, nn.Linear) or pointwise:
            name = candidate
    if not name:
        raise RecipeError(
            f"found no classifier in {type(network).__name__}", do="Use a network that ends in nn.Linear."
        )
    return name


def classes_of(head: nn.Module) -> int:
    return int(head.out_channels if isinstance(head, nn.Conv2d) else head.out_features)  # type: ignore[arg-type]


def new_head(old: nn.Module, classes: int) -> nn.Module:
    """The same kind of layer for another number of classes, freshly initialised from torch's current generator."""
    if isinstance(old, nn.Conv2d):
        return nn.Conv2d(old.in_channels, classes, kernel_size=1)
    if isinstance(old, nn.Linear):
        return nn.Linear(old.in_features, classes)
    raise RecipeError(f"cannot replace a head of type {type(old).__name__}")


def replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)
