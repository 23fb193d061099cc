"""The layers of a network in the order they are called, and the one that a layer method uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from probes.errors import ConfigError, did_you_mean

SIDE = 4
"""Grad-CAM wants a map at least this wide and high: below that, it hardly localises."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True, kw_only=True, eq=False)
class Called:
    """A leaf module that was called, and the shape of its output: [samples ...], unless `by_sample` is False, as for
    outputs shared by all samples (positions) and sequence-first outputs [length samples ...]."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    by_sample: bool

    @property
    def has_parameters(self) -> bool:
        return next(self.module.parameters(recurse=False), None) is not None


@torch.no_grad()
def called(network: nn.Module, *inputs: Tensor) -> list[Called]:
    """Leaf modules that return a single tensor, in the order of their first call."""
    found: dict[str, Called] = {}
    few = [one[:2] for one in inputs]

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, _: object, output: object) -> None:
            if isinstance(output, Tensor) and name not in found:
                by_sample = output.ndim > 0 and len(output) == len(few[0])
                found[name] = Called(name=name, module=module, shape=tuple(output.shape), by_sample=by_sample)

        return hook

    leaves = [(name, module) for name, module in network.named_modules() if name and not any(module.children())]
    handles = [module.register_forward_hook(note(name)) for name, module in leaves]
    try:
        network(*few)
    finally:
        for handle in handles:
            handle.remove()
    return list(found.values())


def spatial_layer(network: nn.Module, *inputs: Tensor) -> nn.Module | None:
    """The last convolution whose map is at least SIDE × SIDE, else the last whose map has more than one position."""
    convolutions = [one for one in called(network, *inputs) if isinstance(one.module, CONVOLUTIONS)]
    for side in (SIDE, 2):
        wide = [one for one in convolutions if len(one.shape) > 2 and min(one.shape[2:]) >= side]
        if wide:
            return wide[-1].module
    return None


def embedding_layer(network: nn.Module, *inputs: Tensor) -> nn.Module | None:
    """The first embedding table of tokens, excluding those of positions."""
    tables = [
        one
        for one in called(network, *inputs)
        if one.by_sample and isinstance(one.module, nn.Embedding | nn.EmbeddingBag)
    ]
    return tables[0].module if tables else None


def hidden_layer(network: nn.Module, *inputs: Tensor) -> nn.Module | None:
    """The last layer with parameters before the score's own."""
    layers = [one for one in called(network, *inputs) if one.has_parameters]
    return layers[-2].module if len(layers) > 1 else None


def named_layer(network: nn.Module, name: str) -> nn.Module:
    """Raises ConfigError, with the nearest name, if the network has no such layer."""
    modules: dict[str, nn.Module] = {
        known.removeprefix("body."): module for known, module in network.named_modules() if known
    }
    if name not in modules:
        raise ConfigError(f"the network has no layer {name!r}. {did_you_mean(name, modules)}", where="layer")
    return modules[name]
