"""The stacked engine for dense networks: the replicas' layers become batched matrix products
(`audit.engines.stacked_network`).

Each replica gathers its own minibatches, so replicas of any orders can be trained together, as long as their epochs
have the same number of steps. Batches are padded to the longest; padding has no weight in the loss.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from audit.config.recipe import demands
from audit.engines.base import Outcome, Refused
from audit.engines.batched_steps import KNOWN, Steps, Watch, check_finite, residual
from audit.engines.forward_code import must_be_plain
from audit.engines.materialised import Materialised, materialise
from audit.engines.stacked_network import forward_of
from audit.engines.tail import behind_cut, cut_for
from audit.training.experiment import Experiment
from audit.training.minibatches import shuffled, steps_per_epoch
from audit.training.optimizer import rate
from audit.training.transfer_modes import Trainee
from probes.large_arrays import empty
from probes.plan import Row

DENSE = (nn.Linear, nn.LayerNorm, nn.Flatten, nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh)
"""Layers that are faster stacked. Convolutions are not: vmap makes them grouped ones, 4 to 6 times slower here."""

WIDTH = 16
"""Replicas at a time: more do not fit the CPU's cache, fewer are bound by Python overhead."""
TOGETHER = 4
"""Batches are padded to multiples of this: products are a few percent faster."""
ANSWERED = 512
"""Samples per forward pass without training."""
TRIED = 4
"""Samples on which the forward code is tried."""
LARGEST_LAYER = 1 << 20
"""Weights in a layer above which a single replica keeps a core busy."""


def dense(network: nn.Module) -> None:
    """Raises Refused if a layer is not of a kind that is faster when stacked."""
    if len(list(network.named_parameters(remove_duplicate=False))) > len(list(network.parameters())):
        raise Refused("layers share their weights")
    for module in network.modules():
        leaf = not any(True for _ in module.children())
        if leaf and not isinstance(module, DENSE):
            raise Refused(f"{type(module).__name__} layers are not faster stacked")
        if isinstance(module, nn.Linear) and module.weight.numel() > LARGEST_LAYER:
            raise Refused("its layers are large enough to keep a core busy on their own")


def all_take_part(experiment: Experiment, row: Row) -> None:
    """Raises Refused if a trained weight has no gradient: the loop's optimizer does not update such a weight."""
    trainee = experiment.begin(row)
    trained = [trainee.network.get_parameter(name).requires_grad_() for name in trainee.trained]
    answered = trainee.network.eval()(experiment.inputs[:1])
    if any(one is None for one in torch.autograd.grad(answered.sum(), trained, allow_unused=True)):
        raise Refused("a trained weight takes no part in the answer")


@dataclass(frozen=True)
class Stacked:
    name: ClassVar[str] = "stacked"
    asked: ClassVar[int] = 20
    workers: ClassVar[Literal["processes", "threads"]] = "threads"

    def check(self, experiment: Experiment, row: Row) -> None:
        if unknown := demands(experiment.recipe) - KNOWN:
            raise Refused(f"it does not support {min(unknown)}")
        if experiment.device != "cpu":
            raise Refused("it has been measured only on CPUs")
        samples = experiment.inputs[:TRIED]
        try:
            parts = cut_for(experiment, row)
            network: nn.Module = copy.deepcopy(parts.tail)
            with torch.no_grad():
                samples = parts.prefix.eval()(samples.clone())
        except Refused:
            network = experiment.begin(row).network
        dense(network)
        must_be_plain(network, samples, trained=True)
        all_take_part(experiment, row)

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        groups: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            steps = steps_per_epoch(int(row.keep.sum()), experiment.recipe.train.batch_size)
            groups.setdefault((row.design, steps), []).append(row)
        return [tuple(mine[start : start + WIDTH]) for mine in groups.values() for start in range(0, len(mine), WIDTH)]

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        materialised: Materialised
        try:
            materialised = behind_cut(experiment, row, folder)
        except Refused:
            materialised = materialise(experiment, folder)
        _ = materialised.inputs, materialised.begin(row)  # before threads share it
        return materialised

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        first = materialised.begin(rows[0])
        stack = Stack(materialised, first, [materialised.weights(row) for row in rows])
        train = materialised.experiment.recipe.train
        watch = Watch(train, stack.trained)
        steps = Steps(train, materialised.experiment.recipe.regularise, stack.trained, first.anchor, stack.factors)
        minibatches = Minibatches(materialised, rows)
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
    """The weights of R networks, and the operations that a step and an epoch need."""

    def __init__(self, materialised: Materialised, first: Trainee, states: Sequence[Mapping[str, Tensor]]) -> None:
        self.materialised, self.network = materialised, first.network.eval()
        self.state = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        self.trained = {name: self.state[name].requires_grad_() for name in first.trained}
        decay = materialised.experiment.recipe.transfer.lr_decay
        self.factors = {name: decay ** first.depth(name) for name in self.trained}
        self.smoothing = materialised.experiment.recipe.train.label_smoothing
        self.logits = forward_of(self.network, self.state, materialised.inputs[: len(materialised.experiment.dataset)])

    def gradients(
        self,
        inputs: Float[Tensor, "replicas batch ..."],
        labels: Int[Tensor, "replicas batch"],
        share: Float[Tensor, "replicas batch"],
    ) -> dict[str, Tensor]:
        """Gradients of each replica's mean cross-entropy in its own weights: those of the sum, because no weights are
        shared."""
        answered = self.logits(inputs)
        error = residual(answered.detach().mT.contiguous(), labels, share, self.smoothing)
        found = torch.autograd.grad(answered, list(self.trained.values()), error.mT)
        return dict(zip(self.trained, found, strict=True))

    @torch.no_grad()
    def validation(self) -> Float[Tensor, " replicas"]:
        """Mean cross-entropy on the validation samples, with the true labels."""
        chosen = torch.from_numpy(np.flatnonzero(self.materialised.experiment.pool.validation))
        replicas = len(next(iter(self.state.values())))
        total = torch.zeros(replicas)
        for some in torch.split(chosen, ANSWERED):
            inputs, labels = (
                self.materialised.inputs[some],
                self.materialised.experiment.labels[some].expand(replicas, -1),
            )
            answered = self.logits(inputs.expand(replicas, *inputs.shape)).mT
            total += functional.cross_entropy(answered, labels, reduction="none").sum(1)
        return total / len(chosen)

    @torch.no_grad()
    def outcomes(self, rows: Sequence[Row], watch: Watch) -> Iterator[Outcome]:
        state = self.state | dict(watch.chosen())
        for number, row in enumerate(rows):
            mine = {
                name: value[number].detach().clone(memory_format=torch.contiguous_format)
                for name, value in state.items()
            }
            inputs, n = self.materialised.inputs, len(self.materialised.experiment.dataset)
            logits = empty((len(inputs), len(self.materialised.experiment.dataset.classes)), np.float32)
            done = 0
            for batch in (batch for view in torch.split(inputs, n) for batch in torch.split(view, ANSWERED)):
                logits[done : done + len(batch)] = functional_call(self.network, mine, (batch,)).numpy()
                done += len(batch)
            yield Outcome(row=row, logits=logits, state=mine)


class Minibatches:
    """Each replica's own minibatches, side by side."""

    def __init__(self, materialised: Materialised, rows: Sequence[Row]) -> None:
        self.materialised, self.rows = materialised, rows
        self.steps = steps_per_epoch(int(rows[0].keep.sum()), materialised.experiment.recipe.train.batch_size)
        pool = materialised.experiment.pool.member | materialised.experiment.pool.held_out
        self.pooled = [np.flatnonzero(pool | row.keep) for row in rows]
        self.begins = [[piece[0] for piece in np.array_split(np.arange(len(mine)), self.steps)] for mine in self.pooled]
        alike = all(row.targets is None for row in rows)
        self.table = None if alike else torch.stack([materialised.experiment.targets(row) for row in rows])

    def epoch(self, epoch: int) -> Iterator[tuple[Int[Tensor, "replicas batch"], Float[Tensor, "replicas batch"]]]:
        """Sample indices, and each sample's share of its replica's loss (0 where padded)."""
        drawn = []
        sizes = np.zeros((len(self.rows), self.steps), dtype=np.int64)
        for number, (row, pooled) in enumerate(zip(self.rows, self.pooled, strict=True)):
            taken = shuffled(pooled, self.materialised.experiment.seed, row.order, epoch)
            kept = row.keep[taken]
            drawn.append(taken[kept])
            sizes[number] = np.add.reduceat(kept, self.begins[number], dtype=np.int64)
        lengths = TOGETHER * np.maximum(1, -(-sizes.max(axis=0) // TOGETHER))
        filled = np.arange(lengths.max()) < sizes[:, :, None]
        index = np.zeros(filled.shape, dtype=np.int64)
        index[filled] = np.concatenate(drawn)
        share = (filled / np.maximum(sizes, 1)[:, :, None]).astype(np.float32)
        for step, length in enumerate(lengths):
            yield torch.from_numpy(index[:, step, :length]), torch.from_numpy(share[:, step, :length])

    def inputs(self, index: Int[Tensor, "replicas batch"]) -> Tensor:
        taken = self.materialised.inputs.index_select(0, index.reshape(-1))
        return taken.view(*index.shape, *taken.shape[1:])

    def labels(self, index: Int[Tensor, "replicas batch"]) -> Int[Tensor, "replicas batch"]:
        return self.materialised.experiment.labels[index] if self.table is None else self.table.gather(1, index)
