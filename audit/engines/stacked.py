"""The stacked engine: dense networks, whose replicas' layers become batched matrix products (torch.func.vmap).

Each replica gathers its own minibatches, so replicas of any orders go together, as long as their epochs have equally
many steps. Batches are padded to the longest; padding has no weight in the loss.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional

from audit.engines.engine import Outcome, Refused
from audit.engines.stage import Stage, parts, write_inputs
from audit.engines.steps import KNOWN, Steps, Watch, check_finite
from audit.engines.tail import behind_cut, cut_for
from audit.experiment import Experiment
from audit.minibatches import pieces, steps_per_epoch
from audit.optimise import rate
from audit.recipe import demands
from audit.transfer import Trainee
from probes.plan import Row

DENSE = (nn.Linear, nn.LayerNorm, nn.Flatten, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh)
"""Layers that are faster stacked. Convolutions are not: vmap makes them grouped ones, 4 to 6 times slower here."""

WIDTH = 32
"""Replicas at a time."""
LARGEST_LAYER = 1 << 20
"""Weights in a layer beyond which a replica alone keeps a processor busy."""

_generator = threading.Lock()


def dense(network: nn.Module) -> None:
    """Raises Refused where a layer is not of the kind that gains."""
    for module in network.modules():
        leaf = not any(True for _ in module.children())
        if leaf and not isinstance(module, DENSE):
            raise Refused(f"a {type(module).__name__} is not faster stacked")
        if isinstance(module, nn.Linear) and module.weight.numel() > LARGEST_LAYER:
            raise Refused("its layers are large enough to keep a processor busy alone")


@dataclass(frozen=True)
class Stacked:
    name: ClassVar[str] = "stacked"
    workers: ClassVar[Literal["processes", "threads"]] = "threads"

    def check(self, experiment: Experiment, row: Row) -> None:
        if unknown := demands(experiment.recipe) - KNOWN:
            raise Refused(f"it does not know {min(unknown)}")
        if experiment.device != "cpu":
            raise Refused("it was measured on processors only")
        try:
            network: nn.Module = cut_for(experiment, row).tail
        except Refused:
            network = experiment.begin(row).network
        dense(network)

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        groups: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            steps = steps_per_epoch(int(row.keep.sum()), experiment.recipe.train.batch_size)
            groups.setdefault((row.design, steps), []).append(row)
        return [tuple(mine[start : start + WIDTH]) for mine in groups.values() for start in range(0, len(mine), WIDTH)]

    def stage(self, experiment: Experiment, row: Row, folder: Path) -> Stage:
        stage: Stage
        try:
            cut_for(experiment, row)
            stage = behind_cut(experiment, row, folder)
        except Refused:
            stage = Stage(**parts(experiment), **write_inputs(experiment, folder))
        _ = stage.inputs, stage.begin(row)  # before threads share it
        return stage

    def train(self, stage: Stage, rows: Sequence[Row]) -> Iterator[Outcome]:
        with _generator:
            trainees = [stage.begin(row) for row in rows]
        stack = Stack(stage, trainees)
        train = stage.recipe.train
        watch = Watch(train, stack.trained)
        steps = Steps(train, stage.recipe.regularise, stack.trained, trainees[0].anchor, stack.factors)
        minibatches = Minibatches(stage, rows)
        for epoch in range(train.epochs):
            for step, (index, share) in enumerate(minibatches.epoch(epoch)):
                lr = train.lr * rate(train, epoch * minibatches.steps + step, minibatches.steps)
                gradients = stack.gradients(minibatches.inputs(index), minibatches.labels(index), share)
                steps.step(gradients, lr, (share.sum(1) > 0) & watch.running)
            check_finite(stack.trained, rows, epoch)
            if watch.needed:
                watch.close_epoch(stack.validation())
            if not bool(watch.running.any()):
                break
        yield from stack.outcomes(rows, watch)


class Stack:
    """R networks of one architecture: every weight has an axis of replicas in front."""

    def __init__(self, stage: Stage, trainees: Sequence[Trainee]) -> None:
        self.stage, self.network = stage, trainees[0].network.eval()
        states = [trainee.network.state_dict() for trainee in trainees]
        self.state = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        self.trained = {name: self.state[name].requires_grad_() for name in trainees[0].trained}
        decay = stage.recipe.transfer.lr_decay
        self.factors = {name: decay ** trainees[0].depth(name) for name in self.trained}
        self.smoothing = stage.recipe.train.label_smoothing

    def logits(self, inputs: Float[Tensor, "replicas batch ..."]) -> Float[Tensor, "replicas batch classes"]:
        answered: Tensor = vmap(lambda state, batch: functional_call(self.network, state, (batch,)))(self.state, inputs)
        return answered

    def gradients(
        self,
        inputs: Float[Tensor, "replicas batch ..."],
        labels: Int[Tensor, "replicas batch"],
        share: Float[Tensor, "replicas batch"],
    ) -> dict[str, Tensor]:
        """Of each replica's mean cross-entropy in its own weights: the sum's gradient, since none shares a weight."""
        answered = self.logits(inputs)
        losses = functional.cross_entropy(
            answered.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=self.smoothing
        )
        found = torch.autograd.grad(losses @ share.flatten(), list(self.trained.values()))
        return dict(zip(self.trained, found, strict=True))

    @torch.no_grad()
    def validation(self) -> Float[Tensor, " replicas"]:
        chosen = torch.from_numpy(np.flatnonzero(self.stage.pool.validation))
        replicas = len(next(iter(self.state.values())))
        inputs = self.stage.inputs[chosen]
        answered = self.logits(inputs.expand(replicas, *inputs.shape)).transpose(1, 2)
        labels = self.stage.labels[chosen].expand(replicas, -1)
        return functional.cross_entropy(answered, labels, reduction="none").mean(1)

    @torch.no_grad()
    def outcomes(self, rows: Sequence[Row], watch: Watch) -> Iterator[Outcome]:
        state = self.state | dict(watch.chosen())
        for number, row in enumerate(rows):
            mine = {name: value[number].detach().clone() for name, value in state.items()}
            views = torch.split(self.stage.inputs, len(self.stage.dataset))
            batches = [batch for view in views for batch in torch.split(view, 512)]
            answered = [functional_call(self.network, mine, (batch,)) for batch in batches]
            yield Outcome(row=row, logits=torch.cat(answered).numpy(), state=mine)


class Minibatches:
    """Each replica's own minibatches, side by side."""

    def __init__(self, stage: Stage, rows: Sequence[Row]) -> None:
        self.stage, self.rows = stage, rows
        self.steps = steps_per_epoch(int(rows[0].keep.sum()), stage.recipe.train.batch_size)
        self.targets = torch.stack([stage.targets(row) for row in rows])
        self.number = torch.arange(len(rows))[:, None]

    def epoch(self, epoch: int) -> Iterator[tuple[Int[Tensor, "replicas batch"], Float[Tensor, "replicas batch"]]]:
        """Sample indices, and each sample's share of its replica's loss (0 where padded)."""
        pool = self.stage.pool
        drawn: dict[tuple[str, bytes], list[np.ndarray]] = {}
        columns = []
        for row in self.rows:
            pooled = np.flatnonzero(pool.member | pool.held_out | row.keep)
            key = (row.order, pooled.tobytes())
            if key not in drawn:
                drawn[key] = list(pieces(pooled, self.steps, self.stage.seed, row.order, epoch))
            columns.append([piece[row.keep[piece]] for piece in drawn[key]])
        for step in range(self.steps):
            mine = [column[step] for column in columns]
            sizes = np.array([len(kept) for kept in mine])
            place = np.arange(max(1, sizes.max()))
            index = np.zeros((len(mine), len(place)), dtype=np.int64)
            filled = place < sizes[:, None]
            index[filled] = np.concatenate(mine)
            share = filled / np.maximum(sizes, 1)[:, None]
            yield torch.from_numpy(index), torch.from_numpy(share.astype(np.float32))

    def inputs(self, index: Int[Tensor, "replicas batch"]) -> Tensor:
        return self.stage.inputs[index]

    def labels(self, index: Int[Tensor, "replicas batch"]) -> Int[Tensor, "replicas batch"]:
        return self.targets[self.number, index]
