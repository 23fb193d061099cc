"""Optimizers and learning rates; rates are pure functions of the step, the same for every engine."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import NotRequired, TypedDict

import torch
from torch import Tensor, nn

from audit.config.recipe import TrainSection
from audit.training.transfer_modes import Phase, Trainee
from probes.errors import DependencyError, first_line


class Group(TypedDict):
    """Parameters of one depth below the head, optionally with their own weight decay."""

    params: list[nn.Parameter]
    depth: int
    weight_decay: NotRequired[float]


def rate(section: TrainSection, step: int, steps: int) -> float:
    """The factor of the learning rate at a step (from 0), with `steps` steps per epoch: a linear warm-up, then the
    schedule over the rest."""
    warmup, total = section.warmup_epochs * steps, section.epochs * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1.0, total - warmup)
    if section.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if section.schedule == "linear":
        return 1 - done
    if section.schedule == "step":
        return float(section.gamma ** bisect_right(sorted(section.milestones), step // steps))
    return 1.0


def make_optimizer(section: TrainSection, groups: list[Group]) -> torch.optim.Optimizer:
    plain = [dict(group) for group in groups]
    if section.optimizer == "sgd":
        return torch.optim.SGD(plain, lr=section.lr, momentum=section.momentum, weight_decay=section.weight_decay)
    kind = torch.optim.Adam if section.optimizer == "adam" else torch.optim.AdamW
    return kind(plain, lr=section.lr, weight_decay=section.weight_decay)


def groups(trainee: Trainee, phase: Phase, decay: float, known: set[str], *, spared: bool = False) -> list[Group]:
    """The phase's parameters that the optimizer does not have yet (`known`): one group per depth, or a single group
    without layer-wise decay of rates. Vectors that are `spared` from weight decay form separate groups."""
    chosen = set(phase.trained) - known
    found: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in trainee.network.named_parameters():
        if name in chosen:
            depth = trainee.depth(name) if decay != 1 else 0
            found.setdefault((depth, spared and parameter.ndim < 2), []).append(parameter)
    return [
        {"params": members, "depth": depth, "weight_decay": 0.0} if vectors else {"params": members, "depth": depth}
        for (depth, vectors), members in sorted(found.items())
    ]


def set_rates(optimizer: torch.optim.Optimizer, lr: float, decay: float) -> None:
    """Layer-wise rates: `lr` in the head, multiplied by `decay` for each stage further down (Howard & Ruder 2018,
    3.2)."""
    for group in optimizer.param_groups:
        group["lr"] = lr * decay ** group["depth"]


def compiled(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """The network's forward pass through torch.compile. Calls raise DependencyError if it cannot be compiled."""
    from torch._dynamo.exc import TorchDynamoException

    fast = torch.compile(network)

    def forward(inputs: Tensor) -> Tensor:
        try:
            outputs: Tensor = fast(inputs)
        except TorchDynamoException as error:
            raise DependencyError(
                f"torch.compile cannot compile {type(network).__name__}: {first_line(error)}",
                where="train.compile",
                do="Install a C++ compiler (g++), or omit train.compile.",
            ) from error
        return outputs

    return forward
