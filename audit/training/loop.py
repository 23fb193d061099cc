"""The visible training loop. Every engine must give the same replicas as this loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional

from audit.runtime.randomness import torch_seed
from audit.training.dp_sgd import (
    Accounting,
    account,
    check_buffers,
    check_sampling,
    expected_warnings,
    noise_for,
    per_sample,
    private_optimizer,
)
from audit.training.experiment import Experiment
from audit.training.interpolation import towards
from audit.training.minibatches import pieces, poisson, steps_per_epoch
from audit.training.objective import Objective
from audit.training.optimizer import Group, compiled, groups, make_optimizer, rate, set_rates
from audit.training.resume_state import Best, Keeper, State
from audit.training.transfer_modes import Phase, Trainee
from audit.training.weight_penalties import add_gradient
from probes.errors import NonFiniteError, RecipeError
from probes.evidence import Trace
from probes.plan import Row

AT_ONCE, AT_ONCE_ON_PROCESSORS = 512, 64
"""Samples per forward pass. A CPU is twice as fast if activations fit its caches and need no new pages."""

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """`epoch` is the one to which the weights belong, from 1; `accounting` is what a DP run spent."""

    network: nn.Module
    head: str
    trained: tuple[str, ...]
    trace: Trace
    epoch: int
    accounting: Accounting | None = None


@runtime_checkable
class Material(Protocol):
    """The networks with which rows start, and their inputs: the experiment's own, or an engine's version of them."""

    @property
    def inputs(self) -> Tensor: ...

    def begin(self, row: Row) -> Trainee: ...


def fine_tune(
    experiment: Experiment,
    row: Row,
    on_epoch: OnEpoch | None = None,
    keeper: Keeper | None = None,
    *,
    material: Material | None = None,
) -> Trained:
    """Train the row's replica on the samples it keeps, by default on the experiment's own `material`; with a `keeper`,
    resume after the last epoch that it has.

    Raises NonFiniteError if the loss diverges, RecipeError if training changed frozen parts, PrivacyError if a DP run
    would not have the claimed ε.
    """
    train = experiment.recipe.train
    run = Run(experiment, row, material or experiment)
    if keeper and (state := keeper.load()) is not None:
        run.restore(state)
    with torch.random.fork_rng(devices=[]), expected_warnings(), run.objective:
        while not run.over:
            epoch = run.epoch
            run.enter(epoch)
            loss_sum, hits, seen = 0.0, 0, 0
            for step, batch in enumerate(run.minibatches(epoch)):
                phase_lr = run.trainee.phase(epoch).lr or train.lr
                lr = phase_lr * rate(train, epoch * run.steps + step, run.steps)
                set_rates(run.optimizer, lr, experiment.recipe.transfer.lr_decay)
                if len(batch) >= run.least:
                    inputs, targets = run.look_up(batch)
                    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=train.precision == "bfloat16"):
                        logits = run.forward(inputs)
                        loss = functional.cross_entropy(logits, targets, label_smoothing=train.label_smoothing)
                        progress = (epoch * run.steps + step) / (train.epochs * run.steps)
                        total = loss + run.objective(inputs, run.trainee.parameters(), progress, epoch)
                    run.optimizer.zero_grad(set_to_none=True)
                    total.backward()
                    if train.clip_norm:
                        nn.utils.clip_grad_norm_(list(run.trainee.parameters().values()), train.clip_norm)
                    run.optimizer.step()
                    if len(batch):
                        loss_sum += float(loss.detach()) * len(batch)
                    hits += int((logits.argmax(1) == targets).sum())
                    seen += len(batch)
            if not np.isfinite(loss_sum):
                raise NonFiniteError(
                    f"the training loss became NaN or infinite in epoch {epoch + 1}",
                    where=f"replica {row.name}",
                    do="Lower train.lr or set train.clip_norm.",
                )
            run.close_epoch(loss_sum / max(1, seen), hits / max(1, seen))
            if keeper:
                keeper.save(run.state())
            if on_epoch:
                on_epoch(epoch, run.history[-1])
    return run.finish()


class Run:
    """The mutable state of one training run; all of the loop's operations on it are in `fine_tune`."""

    def __init__(self, experiment: Experiment, row: Row, material: Material) -> None:
        recipe, self.experiment, self.row = experiment.recipe, experiment, row
        self.inputs, self.trainee = material.inputs, material.begin(row)
        self.network = self.trainee.network.to(experiment.device)
        # The pool, and the planted canaries that this row trains on.
        self.pooled = np.flatnonzero(experiment.pool.member | experiment.pool.held_out | row.keep)
        self.kept = int(row.keep.sum())
        self.steps = steps_per_epoch(self.kept, recipe.train.batch_size)
        self.targets = experiment.targets(row)
        self.augment = experiment.augmentation()
        self.objective = Objective(experiment, row, self.trainee)
        self.epoch, self.stale = 0, 0
        self.history: list[dict[str, float]] = []
        self.best: Best | None = None
        self.known: set[str] = set()
        self.sizes: list[int] = []
        self.forward: Callable[..., Tensor] = self.network
        if recipe.train.compile:
            self.forward = compiled(self.network)
        self.sigma, self.noise = 0.0, torch.Generator(device=experiment.device)
        if recipe.privacy:
            self.sigma = noise_for(recipe.privacy, self.rate, recipe.train.epochs * self.steps)
            self.forward, self.release = per_sample(self.network)
        # Phases only grow: what is in eval mode in the last one is never trained.
        self.trainee.enter(self.trainee.phases[-1])
        self.trainee.train_mode()
        self.frozen = self.trainee.frozen_state()
        self.buffers = {name: value.clone() for name, value in self.network.named_buffers()}
        self.optimizer = self._optimizer()

    @property
    def rate(self) -> float:
        """The average share of the kept samples in a minibatch."""
        return 1 / self.steps

    @property
    def over(self) -> bool:
        train = self.experiment.recipe.train
        return self.epoch >= train.epochs or (train.patience is not None and self.stale >= train.patience)

    def enter(self, epoch: int) -> None:
        """Sets the seeds, trained parameters and modes of this epoch."""
        seed, order = self.experiment.seed, self.row.order
        torch.manual_seed(torch_seed(seed, "dropout", order, epoch))
        self.noise.manual_seed(torch_seed(seed, "noise", order, epoch))
        self.grow(epoch)
        self.trainee.train_mode()
        normalises = any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training for m in self.network.modules())
        # BatchNorm has no variance for a single sample; a DP step adds its noise even to an empty minibatch.
        self.least = 0 if self.experiment.recipe.privacy else 2 if normalises else 1

    def grow(self, epoch: int) -> None:
        """Add to the optimizer the parameters that this epoch's phase trains and that it does not have yet."""
        phase = self.trainee.phase(epoch)
        self.trainee.enter(phase)
        for group in self._new(phase):
            self.optimizer.add_param_group(dict(group))

    def _new(self, phase: Phase) -> list[Group]:
        recipe = self.experiment.recipe
        spared = recipe.train.decays == "weights"
        new = groups(self.trainee, phase, recipe.transfer.lr_decay, self.known, spared=spared)
        self.known |= set(phase.trained)
        return new

    def _optimizer(self) -> torch.optim.Optimizer:
        """The optimizer for the first phase's parameters, and the objective's own."""
        recipe, phase = self.experiment.recipe, self.trainee.phase(0)
        self.trainee.enter(phase)
        first = self._new(phase)
        if own := list(self.objective.parameters()):
            first.append({"params": own, "depth": 0})
        optimizer = make_optimizer(recipe.train, first)
        if not recipe.privacy:
            return optimizer
        penalise = self.objective.penalty
        return private_optimizer(
            optimizer,
            recipe.privacy,
            self.sigma,
            self.kept * self.rate,
            self.noise,
            (lambda: add_gradient(penalise, self.trainee.parameters())) if penalise else None,
        )

    def minibatches(self, epoch: int) -> Iterator[Tensor]:
        """Indices of the kept samples of each piece."""
        seed, order = self.experiment.seed, self.row.order
        drawn: Iterator[Int[np.ndarray, " piece"]]
        if self.experiment.recipe.privacy:
            drawn = poisson(self.pooled, self.rate, self.steps, seed, order, epoch)
        else:
            drawn = pieces(self.pooled, self.steps, seed, order, epoch)
        for piece in drawn:
            kept = piece[self.row.keep[piece]]
            self.sizes.append(len(kept))
            yield torch.from_numpy(kept)

    def look_up(self, batch: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        inputs = self.inputs[batch].to(self.experiment.device)
        if self.augment and len(batch):
            inputs = self.augment(inputs)
        return inputs, self.targets[batch].to(self.experiment.device)

    def close_epoch(self, train_loss: float, train_accuracy: float) -> None:
        """Validates, and decides whether to stop and which weights to keep."""
        self.history.append(_epoch_record(self.experiment, self.inputs, self.network, train_loss, train_accuracy))
        self.epoch += 1
        losses = [record["validation_loss"] for record in self.history]
        improved = len(losses) == 1 or losses[-1] < min(losses[:-1])
        self.stale = 0 if improved else self.stale + 1
        if improved and self.experiment.recipe.train.select == "best":
            weights = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
            self.best = {"epoch": self.epoch, "network": weights}

    def state(self) -> State:
        return {
            "epoch": self.epoch,
            "stale": self.stale,
            "history": self.history,
            "sizes": self.sizes,
            "best": self.best,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: State) -> None:
        for epoch in range(state["epoch"]):
            self.grow(epoch)
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        self.optimizer.load_state_dict(dict(state["optimizer"]))
        self.epoch, self.stale, self.best = state["epoch"], state["stale"], state["best"]
        self.history, self.sizes = list(state["history"]), list(state["sizes"])

    def finish(self) -> Trained:
        """Checks that frozen parts have not changed, and loads the chosen epoch's weights."""
        privacy, after = self.experiment.recipe.privacy, self.network.state_dict()
        changed = [name for name, value in self.frozen.items() if name in after and not torch.equal(value, after[name])]
        accounting = None
        if privacy:
            check_buffers(self.buffers, self.network)
            check_sampling(np.array(self.sizes), self.kept, self.rate)
            accounting = account(privacy, self.sigma, self.rate, len(self.sizes))
            self.release()
        if changed:
            raise RecipeError(
                f"{changed[0]} is frozen but was changed by training.",
                where=type(self.network).__name__,
                do="Its module rewrites it even in eval mode; train that module or fix it.",
            )
        if self.best is not None:
            self.network.load_state_dict(self.best["network"])
        share = self.experiment.recipe.regularise.source_share
        if share and self.row.start != "scratch":
            towards(self.network, {**self.buffers, **self.trainee.anchor}, share)
        return Trained(
            network=self.network.cpu().eval(),
            head=self.trainee.head,
            trained=self.trainee.trained,
            trace=_trace(self.history),
            epoch=self.epoch if self.best is None else self.best["epoch"],
            accounting=accounting,
        )


@torch.no_grad()
def predict(
    network: nn.Module,
    inputs: Shaped[Tensor, "samples ..."],
    shown: Callable[[Tensor], Tensor] = lambda batch: batch,
) -> Float32[np.ndarray, "samples classes"]:
    """Logits of a network in eval mode, for each batch as it is `shown`. Raises NonFiniteError naming the first
    sample."""
    network.eval()
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    chunks = torch.split(inputs, AT_ONCE_ON_PROCESSORS if device.type == "cpu" else AT_ONCE)
    logits: np.ndarray = torch.cat([network(shown(chunk).to(device)).float().cpu() for chunk in chunks]).numpy()
    if not np.isfinite(logits).all():
        sample = int(np.argmax(~np.isfinite(logits).all(axis=1)))
        raise NonFiniteError(f"the model's logits for sample {sample} are NaN or infinite.", do="Check the weights.")
    return logits


def predict_views(network: nn.Module, experiment: Experiment) -> Float32[np.ndarray, "views classes"]:
    """Logits of all samples, then of each query's view of them. Raises NonFiniteError naming the first sample."""
    return np.concatenate([predict(network, experiment.inputs, shown) for shown in experiment.views])


def _epoch_record(
    experiment: Experiment, inputs: Tensor, network: nn.Module, train_loss: float, train_accuracy: float
) -> dict[str, float]:
    chosen = torch.from_numpy(np.flatnonzero(experiment.pool.validation))
    record = {"train_loss": train_loss, "train_accuracy": train_accuracy}
    if not len(chosen):
        return record | {"validation_loss": float("nan"), "validation_accuracy": float("nan")}
    logits = torch.from_numpy(predict(network, inputs[chosen]))
    labels = experiment.labels[chosen]
    return record | {
        "validation_loss": float(functional.cross_entropy(logits, labels)),
        "validation_accuracy": float((logits.argmax(1) == labels).float().mean()),
    }


def _trace(history: list[dict[str, float]]) -> Trace:
    def column(name: str) -> Float[np.ndarray, " epochs"]:
        return np.array([record[name] for record in history])

    return Trace(
        train_loss=column("train_loss"),
        train_accuracy=column("train_accuracy"),
        validation_loss=column("validation_loss"),
        validation_accuracy=column("validation_accuracy"),
    )
