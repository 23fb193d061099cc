"""The classifier of any network: found, and replaced by one for the target's classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from audit.config.recipe import HeadSection
from audit.models.answers import gives_logits
from audit.models.redraw import by_library
from probes.errors import RecipeError, did_you_mean

HeadFactory = Callable[[int, int], nn.Module]
"""(in_features, classes) → head."""


def find_head(network: nn.Module, name: str | None = None) -> str:
    """The dotted name of the classifier: `name` if given, else the one that timm declares for its models, else the last
    Linear (or SqueezeNet's 1 × 1 Conv2d).

    Raises RecipeError if there is none.
    """
    if name is not None:
        modules = dict(network.named_modules())
        if name not in modules:
            raise RecipeError(
                f"{type(network).__name__} has no module {name!r}. {did_you_mean(name, modules)}", where="head.name"
            )
        return name
    if isinstance(config := getattr(network, "pretrained_cfg", None), Mapping):
        return _declared(network, config)
    found = ""
    for candidate, module in network.named_modules():
        pointwise = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and "classifier" in candidate
        # The projection inside an attention layer is not a classifier, and is not called as a module.
        projection = isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear)
        if pointwise or (isinstance(module, nn.Linear) and not projection):
            found = candidate
    if not found:
        raise RecipeError(
            f"found no classifier in {type(network).__name__}.", do="End it with nn.Linear, or set head.name."
        )
    return found


def _declared(network: nn.Module, config: Mapping[str, Any]) -> str:
    """The classifier that timm declares: the last Linear may be a layer of the backbone."""
    named = config.get("classifier")
    if isinstance(named, tuple | list):
        raise RecipeError(
            f"{type(network).__name__} has several classifiers ({', '.join(named)}).",
            where="source.model",
            do="Use a variant without distillation, or a factory that joins them.",
        )
    found = dict(network.named_modules()).get(named or "")
    if not isinstance(found, nn.Linear | nn.Conv2d) or not named:
        raise RecipeError(
            f"{type(network).__name__} is built without a classifier.",
            where="source.model",
            do="Set its number of classes: source.options = { num_classes = 10 }.",
        )
    return str(named)


def classes_of(head: nn.Module) -> int:
    return int(head.out_channels if isinstance(head, nn.Conv2d) else head.out_features)  # type: ignore[arg-type]


def features_of(head: nn.Module) -> int:
    """The number of input features of the head."""
    if isinstance(head, nn.Conv2d):
        return head.in_channels
    if isinstance(head, nn.Linear):
        return head.in_features
    raise RecipeError(f"cannot replace a head of type {type(head).__name__}.", do="Name a linear layer as head.name.")


def new_head(old: nn.Module, classes: int) -> nn.Module:
    """The same kind of layer for another number of classes, freshly initialised from torch's current generator; one
    without a bias stays without."""
    features, bias = features_of(old), getattr(old, "bias", None) is not None
    if isinstance(old, nn.Conv2d):
        return nn.Conv2d(features, classes, kernel_size=1, bias=bias)
    return nn.Linear(features, classes, bias=bias)


def attach(network: nn.Module, name: str, section: HeadSection, classes: int, factory: HeadFactory | None) -> str:
    """Replace the old head by the recipe's; returns the name of the module that takes the embedding."""
    old = network.get_submodule(name)
    head = factory(features_of(old), classes) if factory else new_head(old, classes)
    if not factory:
        by_library(network, head)
    gives_logits(network, classes)
    if section.dropout:
        replace(network, name, nn.Sequential(nn.Dropout(section.dropout), head))
        return f"{name}.1"
    replace(network, name, head)
    return name


def replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, module)
