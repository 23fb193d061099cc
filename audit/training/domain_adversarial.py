"""Adversarial domain alignment: features that do not distinguish two domains (DANN: Ganin et al. 2016)."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class _Reverse(torch.autograd.Function):
    """Forward the identity, backward the gradient times −λ (their eq. 17)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


class DomainClassifier(nn.Module):
    """Learns to distinguish the domains, while the reversed gradient teaches the features to prevent it."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(
        self, own: Float[Tensor, "own features"], other: Float[Tensor, "other features"], weight: float
    ) -> Float[Tensor, ""]:
        """Binary cross-entropy of the domain."""
        reversed_: Tensor = _Reverse.apply(torch.cat([own, other]), weight)
        logits = self.layers(reversed_).squeeze(1)
        domain = torch.cat([torch.zeros(len(own)), torch.ones(len(other))]).to(logits.device)
        return functional.binary_cross_entropy_with_logits(logits, domain)


def ramp(progress: float) -> float:
    """λ grows from 0 to 1 over training, so that early noise of the domain classifier does no harm (their section
    5.2.2)."""
    return 2 / (1 + math.exp(-10 * progress)) - 1
