"""The one visible training loop. Every engine must give the replicas that this gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor, nn
from torch.nn import functional

from audit.experiment import Experiment
from audit.minibatches import pieces, steps_per_epoch
from audit.randomness import torch_seed
from audit.recipe import TrainSection
from audit.regularise import penalty
from probes.errors import NonFiniteError
from probes.evidence import Trace
from probes.plan import Row

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    network: nn.Module
    head: str
    trained: tuple[str, ...]
    trace: Trace


def fine_tune(experiment: Experiment, row: Row, on_epoch: OnEpoch | None = None) -> Trained:
    """Train the row's replica on the samples it keeps. Raises NonFiniteError where the loss diverges."""
    recipe, pool = experiment.recipe, experiment.pool
    trainee = experiment.begin(row)
    network, parameters = trainee.network, trainee.parameters()
    optimizer = make_optimizer(list(parameters.values()), recipe.train)
    steps = steps_per_epoch(int(row.keep.sum()), recipe.train.batch_size)
    schedule = make_schedule(optimizer, recipe.train, steps)
    regulariser = penalty(recipe.regularise, trainee.anchor)
    inputs, targets = experiment.inputs, experiment.targets(row)
    history: list[dict[str, float]] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(experiment.seed, "dropout", row.order))
        for epoch in range(recipe.train.epochs):
            trainee.train_mode()
            loss_sum, hits, seen = 0.0, 0, 0
            for piece in pieces(pool.indices, steps, experiment.seed, row.order, epoch):
                batch = torch.from_numpy(piece[row.keep[piece]])
                if len(batch):
                    logits = network(inputs[batch])
                    loss = functional.cross_entropy(
                        logits, targets[batch], label_smoothing=recipe.train.label_smoothing
                    )
                    objective = loss if regulariser is None else loss + regulariser(parameters)
                    optimizer.zero_grad(set_to_none=True)
                    objective.backward()  # type: ignore[no-untyped-call]
                    if recipe.train.clip_norm:
                        nn.utils.clip_grad_norm_(list(parameters.values()), recipe.train.clip_norm)
                    optimizer.step()
                    loss_sum += float(loss.detach()) * len(batch)
                    hits += int((logits.argmax(1) == targets[batch]).sum())
                    seen += len(batch)
                schedule.step()
            if not np.isfinite(loss_sum):
                raise NonFiniteError(
                    f"the training loss became NaN or infinite in epoch {epoch + 1}",
                    where=f"replica {row.name}",
                    do="Lower train.lr or set train.clip_norm.",
                )
            history.append(_epoch_record(experiment, network, loss_sum / seen, hits / seen))
            if on_epoch:
                on_epoch(epoch, history[-1])
    network.eval()
    return Trained(network=network, head=trainee.head, trained=trainee.trained, trace=_trace(history))


def make_optimizer(parameters: list[nn.Parameter], section: TrainSection) -> torch.optim.Optimizer:
    if section.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=section.lr, momentum=section.momentum)
    kind = torch.optim.Adam if section.optimizer == "adam" else torch.optim.AdamW
    return kind(parameters, lr=section.lr)


def make_schedule(
    optimizer: torch.optim.Optimizer, section: TrainSection, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Stepped once a minibatch piece, empty or not, so that every engine has the same rate at the same step."""
    total = steps * section.epochs
    if section.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)


@torch.no_grad()
def predict(
    network: nn.Module, inputs: Shaped[Tensor, "samples ..."], batch_size: int = 512
) -> Float32[np.ndarray, "samples classes"]:
    """Logits of a network in eval mode. Raises NonFiniteError naming the first sample."""
    network.eval()
    parts = [network(inputs[start : start + batch_size]) for start in range(0, len(inputs), batch_size)]
    logits: np.ndarray = torch.cat(parts).float().cpu().numpy()
    if not np.isfinite(logits).all():
        sample = int(np.argmax(~np.isfinite(logits).all(axis=1)))
        raise NonFiniteError(f"the model's logits for sample {sample} are NaN or infinite.", do="Check the weights.")
    return logits


def _epoch_record(
    experiment: Experiment, network: nn.Module, train_loss: float, train_accuracy: float
) -> dict[str, float]:
    chosen = torch.from_numpy(np.flatnonzero(experiment.pool.validation))
    record = {"train_loss": train_loss, "train_accuracy": train_accuracy}
    if not len(chosen):
        return record | {"validation_loss": float("nan"), "validation_accuracy": float("nan")}
    logits = torch.from_numpy(predict(network, experiment.inputs[chosen]))
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
