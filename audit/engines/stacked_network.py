"""R dense networks of one architecture as one network: every weight has a leading axis of replicas.

Activations keep the axes that the network's own code expects, with the replicas' batches concatenated along the first;
only layers with weights distinguish replicas, by batched matrix products. Before anything is trained, the stacked
network is checked to give the outputs of each replica; if it does not (weights outside layers, code that mixes
samples), `torch.func.vmap` runs the network unchanged, at about two thirds of the speed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.func import functional_call, vmap
from torch.nn import functional

TRIED = 2
"""Samples on which the stacked network and each replica are compared."""
TOLERANCE = 1e-4
"""Relative to the largest logit: sums are taken in another order."""

State = Mapping[str, Float[Tensor, "replicas ..."]]
Forward = Callable[[Float[Tensor, "replicas batch ..."]], Float[Tensor, "replicas batch classes"]]


class Affine(torch.autograd.Function):
    """y = x Wᵀ + b. Autograd's own would compute ∂/∂W as (xᵀ ∂/∂y)ᵀ, whose product has few columns if there are few
    classes: ten times as slow, and transposed in memory, while the optimizer needs the weights' layout."""

    @staticmethod
    def forward(
        ctx: FunctionCtx,
        inputs: Float[Tensor, "replicas batch in"],
        weight: Float[Tensor, "replicas out in"],
        bias: Float[Tensor, "replicas out"] | None,
    ) -> Float[Tensor, "replicas batch out"]:
        ctx.save_for_backward(inputs, weight)
        return inputs @ weight.mT if bias is None else torch.baddbmm(bias[:, None], inputs, weight.mT)

    @staticmethod
    def backward(ctx: Any, *errors: Tensor) -> tuple[Tensor | None, ...]:
        (error,), (inputs, weight) = errors, ctx.saved_tensors
        to_inputs, to_weight, to_bias = ctx.needs_input_grad
        return (
            error @ weight if to_inputs else None,
            error.mT @ inputs if to_weight else None,
            error.sum(1) if to_bias else None,
        )


class StackedLinear(nn.Module):
    """Each replica with its own W [replicas out in] and b [replicas out]."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weights, self.biases = [weight], [bias]  # in lists, so that they are not registered as this module's own

    def forward(self, inputs: Float[Tensor, "samples ... in"]) -> Float[Tensor, "samples ... out"]:
        weight = self.weights[0]
        flat = inputs.reshape(len(weight), -1, weight.shape[2])
        answered: Tensor = Affine.apply(flat, weight, self.biases[0])
        return answered.view(*inputs.shape[:-1], weight.shape[1])


class StackedLayerNorm(nn.Module):
    """Ba, Kiros & Hinton 2016, each replica with its own gain and offset."""

    def __init__(self, layer: nn.LayerNorm, weight: Tensor | None, bias: Tensor | None) -> None:
        super().__init__()
        self.shape, self.eps = layer.normalized_shape, layer.eps
        self.weights, self.biases = [weight], [bias]

    def forward(self, inputs: Float[Tensor, "samples ..."]) -> Float[Tensor, "samples ..."]:
        normal = functional.layer_norm(inputs, self.shape, eps=self.eps)
        for change, part in ((torch.mul, self.weights[0]), (torch.add, self.biases[0])):
            if part is not None:
                own = normal.view(len(part), -1, *self.shape)
                normal = change(own, part[:, None]).view(inputs.shape)
        return normal


def forward_of(network: nn.Module, state: State, example: Float[Tensor, "samples ..."]) -> Forward:
    """The replicas' forward passes as one, checked on the examples."""
    mapped = _mapped(network, state)
    try:
        stacked = _stacked(network, state)
        replicas = len(next(iter(state.values())))
        chosen = torch.arange(replicas * TRIED).view(replicas, TRIED) % len(example)
        with torch.no_grad():
            alone = torch.stack(
                [
                    functional_call(network, {name: value[number] for name, value in state.items()}, (example[mine],))
                    for number, mine in enumerate(chosen)
                ]
            )
            together = stacked(example[chosen])
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):  # its forward code is not known
        return mapped
    same = together.shape == alone.shape and bool((together - alone).abs().max() <= TOLERANCE * alone.abs().max())
    return stacked if same else mapped


def _mapped(network: nn.Module, state: State) -> Forward:
    def forward(inputs: Tensor) -> Tensor:
        answered: Tensor = vmap(lambda mine, batch: functional_call(network, mine, (batch,)))(dict(state), inputs)
        return answered

    return forward


def _stacked(network: nn.Module, state: State) -> Forward:
    """Raises ValueError if there are weights outside layers."""
    whole, left = copy.deepcopy(network), set(state)
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Linear | nn.LayerNorm):
            continue
        weight, bias = state.get(f"{name}.weight"), state.get(f"{name}.bias")
        left -= {f"{name}.weight", f"{name}.bias"}
        if isinstance(layer, nn.LayerNorm):
            whole.set_submodule(name, StackedLayerNorm(layer, weight, bias))
        elif weight is not None:
            whole.set_submodule(name, StackedLinear(weight, bias))
    if left:
        raise ValueError(f"{min(left)} is not a weight of a layer")

    def forward(inputs: Tensor) -> Tensor:
        answered: Tensor = whole(inputs.flatten(0, 1))
        return answered.view(*inputs.shape[:2], -1)

    return forward
