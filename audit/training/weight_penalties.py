"""Penalties on the trained parameters: L1, L2 (R(θ) = λ Σ‖θ_i‖²) and L2-SP (Li, Grandvalet & Davoine 2018, eq. 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from audit.config.recipe import RegulariseSection

Penalty = Callable[[Mapping[str, nn.Parameter]], Tensor]


def penalty(section: RegulariseSection, anchor: Mapping[str, Tensor]) -> Penalty | None:
    """The sum of all penalties as a function of the trained parameters; None if nothing is penalised."""
    if not (section.l1 or section.l2 or section.l2_sp or section.l2_head):
        return None

    def total(parameters: Mapping[str, nn.Parameter]) -> Tensor:
        terms = []
        for name, theta in parameters.items():
            plain = section.on == "all" or theta.ndim > 1
            if section.l1 and plain:
                terms.append(section.l1 * theta.abs().sum())
            if section.l2 and plain:
                terms.append(section.l2 * theta.square().sum())
            if section.l2_sp and name in anchor:
                terms.append(section.l2_sp * (theta - anchor[name].to(theta.device)).square().sum())
            if section.l2_head and name not in anchor:
                terms.append(section.l2_head * theta.square().sum())
        return torch.stack(terms).sum() if terms else torch.zeros(())

    return total


def add_gradient(penalise: Penalty, parameters: Mapping[str, nn.Parameter]) -> None:
    """Add the penalty's gradient to the existing gradients.

    For DP-SGD, between the noise and the step: a penalty does not depend on samples, so it needs no clipping and costs
    no ε.
    """
    gradients = torch.autograd.grad(penalise(parameters), list(parameters.values()), allow_unused=True)
    for parameter, gradient in zip(parameters.values(), gradients, strict=True):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
