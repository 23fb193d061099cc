"""LoRA (Hu et al. 2022): low-rank adapters beside the frozen layers of a network, one or many replicas' at once."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from audit.config.language_recipe import Adapter
from audit.runtime.randomness import torch_seed
from probes.errors import RecipeError


class LoRALinear(nn.Module):
    """A frozen layer with R low-rank adapters. Its input consists of R equal blocks of samples, one per replica.

    `layer` maps [..., in] to [..., out]: nn.Linear, or transformers' Conv1D. A is initialised as in PEFT (Kaiming
    uniform with √5), B to zero, so that every replica starts as the base.
    """

    def __init__(self, layer: nn.Module, adapter: Adapter, generators: list[torch.Generator]) -> None:
        super().__init__()
        wide, high = _sides(layer)
        self.layer, self.dropout, self.scale = layer, adapter.dropout, adapter.alpha / adapter.rank
        bound = 1 / math.sqrt(wide)
        drawn = [
            (torch.rand(adapter.rank, wide, generator=generator) * 2 - 1) * bound for generator in generators
        ]  # uniform within ±√(6 / ((1 + 5) · fan in))
        self.down = nn.Parameter(torch.stack(drawn).transpose(1, 2).contiguous())
        self.up = nn.Parameter(torch.zeros(len(generators), adapter.rank, high))

    def forward(self, inputs: Float[Tensor, "*batch wide"]) -> Float[Tensor, "*batch high"]:
        outputs: Tensor = self.layer(inputs)
        replicas, wide, _ = self.down.shape
        blocks = functional.dropout(inputs.reshape(replicas, -1, wide), self.dropout, self.training)
        change = torch.bmm(torch.bmm(blocks, self.down), self.up) * self.scale
        return outputs + change.reshape(outputs.shape)


def with_adapters(base: nn.Module, adapter: Adapter, seeds: list[int]) -> nn.Module:
    """A copy of the base that shares its weights, with one adapter per seed on each target; everything else is frozen.

    Raises RecipeError if no layer's name ends with a target.
    """
    shared: dict[int, Tensor] = {id(tensor): tensor for tensor in base.buffers()}
    shared |= {id(weight): nn.Parameter(weight.data, requires_grad=False) for weight in base.parameters()}
    network: nn.Module = copy.deepcopy(base, dict(shared))
    generators = [torch.Generator().manual_seed(torch_seed(seed, "adapter")) for seed in seeds]
    found = [
        name
        for name, module in network.named_modules()
        if name.endswith(adapter.targets) and not list(module.children()) and hasattr(module, "weight")
    ]
    if not found:
        raise RecipeError(
            f"no layer of {type(base).__name__} has a name ending in {', '.join(adapter.targets)}.",
            where="adapter.targets",
        )
    for name in found:
        parent, _, own = name.rpartition(".")
        layer = LoRALinear(network.get_submodule(name), adapter, generators).to(next(base.parameters()).device)
        setattr(network.get_submodule(parent), own, layer)
    return network


def adapter_state(network: nn.Module, replica: int) -> dict[str, Tensor]:
    """One replica's weights: `NAME.down` [in, rank] and `NAME.up` [rank, out] of each adapted layer."""
    return {
        f"{name}.{side}": getattr(module, side)[replica].detach().clone()
        for name, module in network.named_modules()
        if isinstance(module, LoRALinear)
        for side in ("down", "up")
    }


def load_adapter(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load the weights into a network made by `with_adapters`."""
    with torch.no_grad():
        for key, value in state.items():
            name, _, side = key.rpartition(".")
            getattr(network.get_submodule(name), side)[0].copy_(value)


def _sides(layer: nn.Module) -> tuple[int, int]:
    """The widths of a layer's input and output. transformers' Conv1D stores its weight transposed."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if type(layer).__name__ == "Conv1D" and weight.ndim == 2:
        return weight.shape[0], weight.shape[1]
    raise RecipeError(
        f"adapters are not supported on a {type(layer).__name__}.", where="adapter.targets", do="Name linear layers."
    )
