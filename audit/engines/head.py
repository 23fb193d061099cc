"""The head engine: linear classifiers on frozen features, all replicas of one minibatch order in one matrix product.

Replicas of an order see the same pieces of the pool (`audit.minibatches`), so a step of R replicas with C classes is
two products of [R·C, features] and [features, batch], with the masks as loss weights; a step of a single replica would
be bound by memory bandwidth and Python overhead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from audit.config.recipe import demands
from audit.engines.base import Outcome, Refused
from audit.engines.batched_steps import KNOWN, Steps, Watch, check_finite, residual
from audit.engines.materialised import Materialised
from audit.engines.tail import Behind, behind_cut, cut_for
from audit.models.head import new_head
from audit.runtime.randomness import drawing, torch_seed
from audit.training.experiment import Experiment
from audit.training.minibatches import pieces, steps_per_epoch
from audit.training.optimizer import rate
from probes.large_arrays import empty
from probes.plan import Row

LARGEST = 1 << 25
"""Elements in the weights or logits of one batch of replicas: 128 MiB, and the same for each optimizer moment."""
LOOKED_UP = 1 << 20
"""Elements of the masks that are looked up at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features(Behind):
    """The experiment after its backbone; `inputs` are the head's inputs [samples features]."""

    @cached_property
    def head(self) -> str:
        return self.experiment.begin(self.like).head

    def initial(self, order: str) -> nn.Linear:
        """The new head with which every row of this order starts."""
        old = self.cut.tail.get_submodule(self.head)
        with drawing(torch_seed(self.experiment.seed, "initial", order)):
            return cast("nn.Linear", new_head(old, len(self.experiment.dataset.classes)))


@dataclass(frozen=True)
class Head:
    name: ClassVar[str] = "head"
    asked: ClassVar[int] = 10
    workers: ClassVar[Literal["processes", "threads"]] = "threads"

    def check(self, experiment: Experiment, row: Row) -> None:
        if unknown := demands(experiment.recipe) - KNOWN:
            raise Refused(f"it does not support {min(unknown)}")
        parts = cut_for(experiment, row)
        calls = [node for node in parts.tail.graph.nodes if node.op not in ("placeholder", "output")]
        if len(calls) != 1 or not isinstance(parts.tail.get_submodule(str(calls[0].target)), nn.Linear):
            raise Refused("there is more than one linear layer after the frozen part")
        if parts.tail.get_submodule(str(calls[0].target)).bias is None:
            raise Refused("the head has no bias")

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        """Rows with the same order, number of steps and pool."""
        pool = experiment.pool.member | experiment.pool.held_out
        groups: dict[tuple[str, int, bytes], list[Row]] = {}
        for row in rows:
            steps = steps_per_epoch(int(row.keep.sum()), experiment.recipe.train.batch_size)
            groups.setdefault((row.order, steps, np.packbits(row.keep & ~pool).tobytes()), []).append(row)
        batch = 2 * experiment.recipe.train.batch_size
        features = _features(experiment, rows[0]) if rows else 0
        batches: list[tuple[Row, ...]] = []
        for mine in groups.values():
            width = max(1, LARGEST // (len(experiment.dataset.classes) * max(batch, features)))
            batches += [tuple(mine[start : start + width]) for start in range(0, len(mine), width)]
        return batches

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        materialised = behind_cut(experiment, row, folder, Features)
        _ = materialised.inputs, materialised.cut, cast("Features", materialised).head  # before threads share it
        return materialised

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        assert isinstance(materialised, Features)
        start = materialised.initial(rows[0].order)
        parameters = {
            f"{materialised.head}.{name}": value.detach()
            .expand(len(rows), *value.shape)
            .contiguous()
            .to(materialised.experiment.device)
            for name, value in start.named_parameters()
        }
        weight, bias = parameters[f"{materialised.head}.weight"], parameters[f"{materialised.head}.bias"]
        train = materialised.experiment.recipe.train
        watch, batches, room = Watch(train, parameters), Batches(materialised, rows), Room(weight)
        steps = Steps(train, materialised.experiment.recipe.regularise, parameters, {}, dict.fromkeys(parameters, 1.0))
        for epoch in range(train.epochs):
            for step, piece in enumerate(batches.epoch(epoch)):
                lr = train.lr * rate(train, epoch * batches.steps + step, batches.steps)
                inputs = torch.index_select(batches.features, 0, piece.samples, out=room.inputs(piece.samples))
                answered, out = logits(weight, bias, inputs, room), room.answers("error", len(inputs))
                error = residual(answered, piece.targets, piece.share, train.label_smoothing, out)
                torch.mm(error.view(-1, len(inputs)), inputs, out=room.gradient.view(-1, weight.shape[2]))
                gradients = dict(zip(parameters, (room.gradient, error.sum(2)), strict=True))
                steps.step(gradients, lr, piece.filled & watch.running)
            check_finite(parameters, rows, epoch)
            if watch.needed:
                watch.close_epoch(batches.validation(weight, bias))
            if not bool(watch.running.any()):
                break
        chosen = watch.chosen()
        yield from batches.outcomes(
            chosen[f"{materialised.head}.weight"], chosen[f"{materialised.head}.bias"], materialised.head
        )


def _features(experiment: Experiment, row: Row) -> int:
    trainee = experiment.begin(row)
    return int(trainee.network.get_submodule(trainee.head).in_features)  # type: ignore[arg-type]


class Room:
    """Memory for a step's large arrays, allocated once: new pages in each step would cost as much as a product."""

    def __init__(self, weight: Float[Tensor, "replicas classes features"]) -> None:
        self.weight = weight
        self.gradient = torch.empty_like(weight)
        self.kept: dict[tuple[str, int], Tensor] = {}

    def _of(self, name: str, batch: int, *shape: int) -> Tensor:
        """Pieces of an epoch have one of two lengths."""
        if (name, batch) not in self.kept:
            self.kept[name, batch] = self.weight.new_empty(shape)
        return self.kept[name, batch]

    def inputs(self, piece: Int[Tensor, " batch"]) -> Float[Tensor, "batch features"]:
        return self._of("inputs", len(piece), len(piece), self.weight.shape[2])

    def answers(self, name: str, batch: int) -> Float[Tensor, "replicas classes batch"]:
        return self._of(name, batch, *self.weight.shape[:2], batch)


def logits(
    weight: Float[Tensor, "replicas classes features"],
    bias: Float[Tensor, "replicas classes"],
    inputs: Float[Tensor, "batch features"],
    room: Room,
) -> Float[Tensor, "replicas classes batch"]:
    """One product."""
    found = room.answers("logits", len(inputs))
    torch.mm(weight.view(-1, weight.shape[2]), inputs.T, out=found.view(-1, len(inputs)))
    return found.add_(bias[:, :, None])


class Piece(NamedTuple):
    """A part of the pool: its samples, their targets, each sample's share of each replica's loss, and whether a replica
    keeps any of them."""

    samples: Int[Tensor, " piece"]
    targets: Int[Tensor, "tables piece"]
    share: Float[Tensor, "replicas piece"]
    filled: Bool[Tensor, " replicas"]


class Batches:
    """What a batch of replicas reads in a step."""

    def __init__(self, materialised: Features, rows: Sequence[Row]) -> None:
        pool = materialised.experiment.pool
        self.materialised, self.rows = materialised, rows
        self.features = materialised.inputs.to(materialised.experiment.device)
        # Samples are the first axis, so that a piece consists of whole rows.
        self.keep = torch.from_numpy(np.stack([row.keep for row in rows], axis=1)).to(materialised.experiment.device)
        alike = all(row.targets is None for row in rows)
        tables = [materialised.experiment.labels] if alike else [materialised.experiment.targets(row) for row in rows]
        self.targets = torch.stack(tables).to(materialised.experiment.device)
        self.pooled = np.flatnonzero(pool.member | pool.held_out | rows[0].keep)
        self.steps = steps_per_epoch(int(rows[0].keep.sum()), materialised.experiment.recipe.train.batch_size)

    def epoch(self, epoch: int) -> Iterator[Piece]:
        """What each step needs. Looked up for many pieces at once, because that takes hardly longer than for one."""
        cut = list(pieces(self.pooled, self.steps, self.materialised.experiment.seed, self.rows[0].order, epoch))
        some = max(1, LOOKED_UP // (len(self.rows) * len(cut[0])))
        for start in range(0, len(cut), some):
            yield from self._look_up(cut[start : start + some])

    def _look_up(self, cut: Sequence[Int[np.ndarray, " _"]]) -> Iterator[Piece]:
        lengths = [len(piece) for piece in cut]
        samples = torch.from_numpy(np.concatenate(cut)).to(self.features.device)
        mask = self.keep.index_select(0, samples).T.to(torch.float32, memory_format=torch.contiguous_format)
        shares = torch.split(mask, lengths, dim=1)
        counts = torch.stack([part.sum(1) for part in shares])
        for share, count in zip(shares, counts, strict=True):
            share.div_(count.clamp(min=1)[:, None])
        targets = torch.split(self.targets.index_select(1, samples), lengths, dim=1)
        for parts in zip(torch.split(samples, lengths), targets, shares, (counts > 0).cpu(), strict=True):
            yield Piece(*parts)

    def validation(self, weight: Tensor, bias: Tensor) -> Float[Tensor, " replicas"]:
        """Mean cross-entropy on the validation samples, with the true labels."""
        chosen = torch.from_numpy(np.flatnonzero(self.materialised.experiment.pool.validation)).to(
            self.materialised.experiment.device
        )
        answers = logits(weight, bias, self.features[chosen], Room(weight))
        labels = (
            self.materialised.experiment.labels[chosen.cpu()]
            .to(self.materialised.experiment.device)
            .expand(len(weight), -1)
        )
        return functional.cross_entropy(answers, labels, reduction="none").mean(1).cpu()

    def _room(self, columns: int) -> Float[Tensor, "samples columns"] | None:
        """For answers, on the CPU: for many samples it is a file."""
        if self.features.device.type != "cpu":
            return None
        return torch.from_numpy(empty((len(self.features), columns), np.float32))

    def outcomes(self, weight: Tensor, bias: Tensor, head: str) -> Iterator[Outcome]:
        """The logits of as many replicas in one product as fit the memory bound."""
        classes, features = weight.shape[1:]
        width = max(1, LARGEST // (classes * len(self.features)))
        for start in range(0, len(self.rows), width):
            some, offsets = weight[start : start + width], bias[start : start + width]
            room = self._room(len(some) * classes)
            found = torch.addmm(offsets.reshape(-1), self.features, some.reshape(-1, features).T, out=room)
            logits = found.view(len(self.features), -1, classes).cpu().numpy()
            for number, row in enumerate(self.rows[start : start + width]):
                own = empty((len(logits), classes), np.float32)
                own[...] = logits[:, number]
                yield Outcome(
                    row=row,
                    logits=own,
                    state={f"{head}.weight": some[number].cpu().clone(), f"{head}.bias": offsets[number].cpu().clone()},
                )
