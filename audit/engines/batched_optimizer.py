"""The optimizer of many replicas at once: torch's own, in one fused pass over all their weights.

SGD with momentum; Adam: Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019. A replica whose minibatch is empty, or that
has stopped, is not updated, as when trained alone: in that case, and once replicas have made different numbers of
steps, the same arithmetic is written out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from audit.config.recipe import TrainSection

BETAS, EPSILON = (0.9, 0.999), 1e-8

Parameters = Mapping[str, Float[Tensor, "replicas ..."]]


class Optimizer:
    """`factors` scale the learning rate of each layer."""

    def __init__(self, train: TrainSection, parameters: Parameters, factors: Mapping[str, float]) -> None:
        self.train, self.parameters, self.factors = train, parameters, factors
        self.adaptive = train.optimizer != "sgd"
        self.first = {name: torch.zeros_like(value) for name, value in parameters.items()}
        self.second = {name: torch.zeros_like(value) for name, value in parameters.items()} if self.adaptive else {}
        self.groups = [
            Group(train, [name for name in parameters if factors[name] == factor], factor, self)
            for factor in sorted(set(factors.values()))
        ]
        self.made = 0
        """The number of steps of every replica, as long as it is the same for all."""
        self.count: Int[Tensor, " replicas"] | None = None

    def step(self, gradients: Parameters, lr: float, active: Bool[Tensor, " replicas"]) -> None:
        every = bool(active.all())
        if every and (self.count is None or not self.adaptive):
            self.made += 1
            for group in self.groups:
                group.step(gradients, lr)
            return
        if self.count is None:
            self.count = torch.full((len(active),), self.made)
        self.count += active
        moved = torch.nonzero(active)[:, 0]
        place = moved.to(next(iter(gradients.values())).device)
        for name, theta in self.parameters.items():
            parts = [theta, gradients[name], self.first[name], *([self.second[name]] if self.adaptive else [])]
            chosen = [part[place] for part in parts]
            self._move(chosen, self.count[moved], lr * self.factors[name])
            for part, new in zip(parts, chosen, strict=True):
                part[place] = new

    def _move(self, parts: Sequence[Tensor], count: Int[Tensor, " moved"], lr: float) -> None:
        theta, gradient, first, *rest = parts
        decay = self.train.weight_decay
        if decay and self.train.optimizer == "adamw":
            theta.mul_(1 - lr * decay)
        elif decay:
            gradient = gradient.add(theta, alpha=decay)
        if not rest:
            if self.train.momentum:
                gradient = first.mul_(self.train.momentum).add_(gradient)
            theta.add_(gradient, alpha=-lr)
            return
        second = rest[0]
        first.lerp_(gradient, 1 - BETAS[0])
        second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        shape = (-1, *[1] * (theta.ndim - 1))
        done = count.double()
        sizes = (lr / (1 - BETAS[0] ** done)).to(theta).view(shape)
        roots = ((1 - BETAS[1] ** done) ** 0.5).to(theta).view(shape)
        theta.sub_(sizes * first / ((second.sqrt() / roots).add_(EPSILON)))


class Group:
    """Weights with the same learning rate, updated in all replicas."""

    def __init__(self, train: TrainSection, names: Sequence[str], factor: float, of: Optimizer) -> None:
        self.train, self.names, self.factor = train, names, factor
        self.weights = [of.parameters[name] for name in names]
        self.first = [of.first[name] for name in names]
        self.second = [of.second[name] for name in names] if of.adaptive else []
        self.made = [weight.new_zeros(()) for weight in self.weights]

    def step(self, gradients: Parameters, lr: float) -> None:
        # A fused pass needs weights and gradients with the same memory layout.
        alike = [
            given if given.stride() == weight.stride() else torch.empty_like(weight).copy_(given)
            for weight, given in zip(self.weights, (gradients[name] for name in self.names), strict=True)
        ]
        common: dict[str, Any] = {"lr": lr * self.factor, "weight_decay": self.train.weight_decay, "maximize": False}
        if not self.second:
            momentum = self.train.momentum
            kept: list[Tensor | None] = [*self.first] if momentum else [None for _ in self.names]
            sgd(self.weights, alike, kept, fused=True, momentum=momentum, dampening=0.0, nesterov=False, **common)
            return
        common |= {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPSILON, "amsgrad": False, "foreach": False}
        move = adamw if self.train.optimizer == "adamw" else adam
        move(self.weights, alike, self.first, self.second, [], self.made, fused=True, **common)
