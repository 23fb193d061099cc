"""A step and the end of an epoch for many replicas at once: the visible loop's arithmetic, along a first axis.

Optimizers are those of torch (SGD with momentum; Adam: Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019), with one
difference: a replica whose minibatch is empty, or that has stopped, does not move, as it would not alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from audit.recipe import RegulariseSection, TrainSection
from probes.errors import NonFiniteError
from probes.plan import Row

BETAS, EPSILON = (0.9, 0.999), 1e-8
KNOWN = frozenset(
    {"label smoothing", "gradient clipping", "weight decay", "schedule", "early stopping", "best epoch"}
    | {"layer-wise rates", "L1", "L2", "L2-SP"}
)
"""What recipes may demand (`recipe.demands`) of an engine that steps replicas together."""

Parameters = Mapping[str, Float[Tensor, "replicas ..."]]


class Steps:
    """The optimizer of R replicas. `factors` are the layers' shares of the learning rate."""

    def __init__(
        self,
        train: TrainSection,
        regularise: RegulariseSection,
        parameters: Parameters,
        anchor: Mapping[str, Tensor],
        factors: Mapping[str, float],
    ) -> None:
        self.train, self.regularise, self.parameters = train, regularise, parameters
        self.anchor, self.factors = anchor, factors
        self.first = {name: torch.zeros_like(value) for name, value in parameters.items()}
        adaptive = train.optimizer != "sgd"
        self.second = {name: torch.zeros_like(value) for name, value in parameters.items()} if adaptive else {}
        self.count = torch.zeros(len(next(iter(parameters.values()))), dtype=torch.int64)

    @torch.no_grad()
    def step(self, gradients: Parameters, lr: float, active: Bool[Tensor, " replicas"]) -> None:
        """Gradients of the plain loss in; they are used up."""
        for name, gradient in gradients.items():
            self._penalise(name, gradient)
        if self.train.clip_norm:
            self._clip(gradients, self.train.clip_norm)
        every = bool(active.all())
        self.count += 1 if every else active
        count = self.count if every else self.count[active]
        moved = None if every else torch.nonzero(active)[:, 0].to(next(iter(gradients.values())).device)
        for name, theta in self.parameters.items():
            parts = [theta, gradients[name], self.first[name], *([self.second[name]] if self.second else [])]
            chosen = parts if moved is None else [part[moved] for part in parts]
            self._move(chosen, count, lr * self.factors[name])
            if moved is not None:
                for part, new in zip(parts, chosen, strict=True):
                    part[moved] = new

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
        if len(count) and bool((count == count[0]).all()):  # in nearly every step
            done = int(count[0])
            size, root = lr / (1 - BETAS[0] ** done), (1 - BETAS[1] ** done) ** 0.5
            theta.addcdiv_(first, (second.sqrt() / root).add_(EPSILON), value=-size)
            return
        shape = (-1, *[1] * (theta.ndim - 1))
        done_each = count.double()
        sizes = (lr / (1 - BETAS[0] ** done_each)).to(theta).view(shape)
        roots = ((1 - BETAS[1] ** done_each) ** 0.5).to(theta).view(shape)
        theta.sub_(sizes * first / ((second.sqrt() / roots).add_(EPSILON)))


class Watch:
    """Early stopping and the best epoch, replica by replica, by the validation loss."""

    def __init__(self, train: TrainSection, parameters: Parameters) -> None:
        self.train, self.parameters = train, parameters
        replicas = len(next(iter(parameters.values())))
        self.running = torch.ones(replicas, dtype=torch.bool)
        self.stale = torch.zeros(replicas, dtype=torch.int64)
        self.least = torch.full((replicas,), float("inf"))
        self.best = {name: value.clone() for name, value in parameters.items()} if train.select == "best" else {}

    @property
    def needed(self) -> bool:
        return self.train.patience is not None or bool(self.best)

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
    """Raises NonFiniteError that names the first replica that diverged."""
    for value in parameters.values():
        finite = torch.isfinite(value.flatten(1).sum(dim=1))
        if not bool(finite.all()):
            row = rows[int(torch.nonzero(~finite)[0])]
            raise NonFiniteError(
                f"the training loss became NaN or infinite in epoch {epoch + 1}",
                where=f"replica {row.name}",
                do="Lower train.lr or set train.clip_norm.",
            )
