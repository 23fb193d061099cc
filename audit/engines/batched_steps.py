"""A step and the end of an epoch for many replicas at once: the visible loop's arithmetic, along a first axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.config.demand import Demand
from audit.config.recipe import RegulariseSection, TrainSection
from audit.engines.batched_optimizer import Optimizer, Parameters
from audit.engines.cancellation import check
from probes.errors import NonFiniteError
from probes.plan import Row

KNOWN = frozenset(
    {
        Demand.LABEL_SMOOTHING,
        Demand.GRADIENT_CLIPPING,
        Demand.WEIGHT_DECAY,
        Demand.SCHEDULE,
        Demand.EARLY_STOPPING,
        Demand.BEST_EPOCH,
        Demand.LAYER_WISE_RATES,
        Demand.L1,
        Demand.L2,
        Demand.L2_SP,
    }
)
"""The demands (`recipe.demands`) supported by engines that step replicas together."""


class Steps:
    """From gradients of the plain loss to updated weights. `factors` scale the learning rate of each layer."""

    def __init__(
        self,
        train: TrainSection,
        regularise: RegulariseSection,
        parameters: Parameters,
        anchor: Mapping[str, Tensor],
        factors: Mapping[str, float],
    ) -> None:
        self.train, self.regularise, self.parameters = train, regularise, parameters
        self.anchor, self.optimizer = anchor, Optimizer(train, parameters, factors)

    @torch.no_grad()
    def step(self, gradients: Parameters, lr: float, active: Bool[Tensor, " replicas"]) -> None:
        """Takes gradients of the plain loss, which are overwritten. Raises Stopped."""
        check()
        for name, gradient in gradients.items():
            self._penalise(name, gradient)
        if self.train.clip_norm:
            self._clip(gradients, self.train.clip_norm)
        self.optimizer.step(gradients, lr, active)

    def _penalise(self, name: str, gradient: Tensor) -> None:
        """Add ∂R/∂θ (audit.regularise)."""
        section, theta = self.regularise, self.parameters[name]
        own_axes = theta.ndim - 1
        if section.l1 and (section.on == "all" or own_axes > 1):
            gradient.add_(theta.sign(), alpha=section.l1)
        if section.l2 and (section.on == "all" or own_axes > 1):
            gradient.add_(theta, alpha=2 * section.l2)
        if section.l2_sp and name in self.anchor:
            gradient.add_(theta - self.anchor[name], alpha=2 * section.l2_sp)
        if section.l2_head and name not in self.anchor:
            gradient.add_(theta, alpha=2 * section.l2_head)

    def _clip(self, gradients: Parameters, largest: float) -> None:
        norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients.values()])
        scale = (largest / (norms.norm(dim=0) + 1e-6)).clamp(max=1)
        for gradient in gradients.values():
            gradient.mul_(scale.view(-1, *[1] * (gradient.ndim - 1)))


def residual(
    logits: Float[Tensor, "replicas classes batch"],
    targets: Int[Tensor, "tables batch"],
    share: Float[Tensor, "replicas batch"],
    smoothing: float,
    out: Float[Tensor, "replicas classes batch"] | None = None,
) -> Float[Tensor, "replicas classes batch"]:
    """The gradient of each replica's mean cross-entropy in its own logits: (softmax − target) × the sample's share.
    `targets` are one table for all replicas, or one for each. The classes are the middle axis: the softmax then runs
    along vectors of samples, 18 times as fast as along ten classes."""
    classes = logits.shape[1]
    wanted = logits.new_full((len(targets), *logits.shape[1:]), smoothing / classes)
    wanted.scatter_(1, targets[:, None], 1 - smoothing + smoothing / classes)
    error = torch.softmax(logits, dim=1, out=out)
    return error.sub_(wanted).mul_(share[:, None])


class Watch:
    """Early stopping and the best epoch of each replica, by its validation loss."""

    def __init__(self, train: TrainSection, parameters: Parameters) -> None:
        self.train, self.parameters = train, parameters
        replicas = len(next(iter(parameters.values())))
        self.running = torch.ones(replicas, dtype=torch.bool)
        self.stale = torch.zeros(replicas, dtype=torch.int64)
        self.least = torch.full((replicas,), float("inf"))
        self.best = {name: value.clone() for name, value in parameters.items()} if train.select == "best" else {}

    @property
    def needed(self) -> bool:
        return self.train.by_validation

    def close_epoch(self, losses: Float[Tensor, " replicas"]) -> None:
        improved = (losses < self.least) & self.running
        self.least = torch.where(improved, losses, self.least)
        self.stale = torch.where(improved, 0, self.stale + 1)
        for name, kept in self.best.items():
            kept[improved] = self.parameters[name][improved]
        if self.train.patience is not None:
            self.running &= self.stale < self.train.patience

    def chosen(self) -> Parameters:
        return self.best or self.parameters


def check_finite(parameters: Parameters, rows: Sequence[Row], epoch: int) -> None:
    """Raises NonFiniteError, naming the first replica that diverged."""
    for value in parameters.values():
        finite = torch.isfinite(value.flatten(1).sum(dim=1))
        if not bool(finite.all()):
            row = rows[int(torch.nonzero(~finite)[0])]
            raise NonFiniteError(
                f"the training loss became NaN or infinite in epoch {epoch + 1}",
                where=f"replica {row.name}",
                do="Lower train.lr or set train.clip_norm.",
            )
