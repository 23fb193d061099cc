"""The cost of a population before it is trained, what it could detect, and which population fits a budget."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int

from audit.data.dataset import at
from audit.engines.head import LARGEST
from audit.engines.registry import Choice, Kind, choose, kind_of
from audit.population.executors.local import WORTH_PROCESSES
from audit.population.executors.workers import RunIn, run_in
from audit.population.populate import rows_of
from audit.population.schedule import schedule
from audit.population.tasks import replicas_held, run_task
from audit.population.trainer_checks import trainable
from audit.runtime.devices import workers_for
from audit.runtime.threads import threads
from audit.storage.store import Store
from audit.training.experiment import Experiment
from audit.training.minibatches import steps_per_epoch
from audit.training.transfer_modes import Trainee
from probes.large_arrays import IN_MEMORY, SLAB_IN_MEMORY
from probes.plan import Plan, Row
from probes.statistics.power import FEWEST_ROUNDS, Power, power

TRIAL_STEPS = 3
REPEATED = 0.2
"""Seconds for which a trial is repeated: short ones vary, so the fastest is taken."""
PROCESS_SECONDS, PROCESS_BYTES = 4.0, 450 << 20
"""The overhead of an additional process that is not a fork: importing torch, and its private memory for that."""
ANSWER_BYTES = 24
"""Bytes of one replica's answers on one sample: five float32 and an int32."""
ANSWERS_IN_MEMORY = IN_MEMORY + 2 * SLAB_IN_MEMORY
"""Bytes of all answers that are ordinary memory, however many there are: while collected, and as one array each."""


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """The rows that one engine trains alike.

    `batch_seconds` is for one batch on one thread; `refused` says why no faster engine was used.
    """

    designs: Mapping[str, int]
    engine: str
    refused: Mapping[str, str]
    batches: int
    inputs_seconds: float
    batch_seconds: float
    batch_bytes: int
    run_in: RunIn

    def spawns(self, workers: int) -> bool:
        """Whether the executor would start processes that import torch."""
        alone = self.batches * self.batch_seconds
        return self.run_in == "spawned" and min(workers, self.batches) > 1 and alone > WORTH_PROCESSES

    def at_once(self, workers: int) -> int:
        """Batches in memory at once: on threads, others train while as many wait for the disk."""
        return min(self.batches, 2 * workers if self.run_in == "threads" else workers)

    def seconds(self, workers: int) -> float:
        """Seconds without starting processes."""
        at_once = 1 if self.run_in == "spawned" and not self.spawns(workers) else workers
        return self.inputs_seconds + math.ceil(self.batches / at_once) * self.batch_seconds


@dataclass(frozen=True, kw_only=True)
class Price:
    """Predicted from a trial of a few steps. `bytes` is the memory of all processes together that no file backs,
    `disk` the bytes of temporary files (inputs and answers) and of the new entries of the store, without weights."""

    lines: tuple[RowGroup, ...]
    workers: int
    seconds: float
    bytes: int
    disk: int
    power: Power

    @property
    def rows(self) -> int:
        return sum(sum(line.designs.values()) for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """`gave_up` maps a design to (rounds left, rounds asked for)."""

    plan: Plan
    price: Price
    gave_up: Mapping[str, tuple[int, int]]


def price(experiment: Experiment, rows: Sequence[Row], workers: int = 0) -> Price:
    """Times a few steps of each kind of row (a second or so, more for large networks)."""
    return _priced(experiment, rows, workers or workers_for(experiment.device), _trials(experiment, rows, None))


def fit(
    experiment: Experiment, plan: Plan, seconds: float, seed: int, workers: int = 0, store: Path | None = None
) -> Fitted:
    """The plan's first rounds that fit, but at least three: `price.seconds` may then exceed the budget."""
    workers = workers or workers_for(experiment.device)
    trials = _trials(experiment, trainable(experiment, rows_of(plan, experiment.pool, seed))[0], store)
    asked = max((design.rounds for design in plan.designs), default=0)
    for rounds in range(asked, min(FEWEST_ROUNDS, asked) - 1, -1):
        smaller = plan.capped(rounds)
        mine, _ = trainable(experiment, rows_of(smaller, experiment.pool, seed))
        cost = _priced(experiment, mine, workers, trials)
        if cost.seconds <= seconds:
            break
    pairs = {one.name: (other.rounds, one.rounds) for one, other in zip(plan.designs, smaller.designs, strict=True)}
    return Fitted(plan=smaller, price=cost, gave_up={name: pair for name, pair in pairs.items() if pair[0] < pair[1]})


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Seconds for the inputs of the whole data set, for one row's fixed work and its training, and the bytes used."""

    choice: Choice
    inputs: float
    fixed: float
    training: float
    bytes: int


def _trials(experiment: Experiment, rows: Sequence[Row], store: Path | None) -> dict[Kind, Trial]:
    kinds: dict[Kind, list[Row]] = {}
    for row in rows:
        kinds.setdefault(kind_of(row), []).append(row)
    if experiment.trainer is not None:
        return {kind: _trial_of_trainer(experiment, mine[0], store) for kind, mine in kinds.items()}
    return {kind: _trial(experiment, mine) for kind, mine in kinds.items()}


def _trial_of_trainer(experiment: Experiment, row: Row, store: Path | None) -> Trial:
    """A whole replica, because a user's code cannot be asked for three steps. It is kept if there is a store."""
    with tempfile.TemporaryDirectory(prefix="transfer-audit-") as folder:
        batch = schedule(experiment, [row])[0]
        before, began = _peak_bytes(), time.perf_counter()
        materialised = batch.choice.engine.materialise(experiment, row, Path(folder))
        written = time.perf_counter()
        run_task(batch.choice.engine, materialised, batch.task, Store(store or Path(folder) / "store"), Path(folder))
        return Trial(
            choice=batch.choice,
            inputs=written - began,
            fixed=0.0,
            training=time.perf_counter() - written,
            bytes=max(_peak_bytes() - before, 64 << 20),
        )


def _trial(experiment: Experiment, rows: Sequence[Row]) -> Trial:
    """Train one batch on an even subset of the samples for one epoch and for three: half the difference is an epoch."""
    choice = choose(experiment, rows[0])
    batch = choice.engine.together(experiment, rows)[0]
    size, kept = experiment.recipe.train.batch_size, int(batch[0].keep.sum())
    n = len(experiment.dataset)
    few = min(n, math.ceil(TRIAL_STEPS * size * n / kept))
    chosen = np.unique(np.linspace(0, n - 1, few).astype(np.int64))
    small = _subset(experiment, chosen)
    mine = [_subset_row(row, chosen) for row in batch]
    with threads(1), tempfile.TemporaryDirectory(prefix="transfer-audit-") as folder:
        before = _peak_bytes()
        began = time.perf_counter()
        choice.engine.materialise(small, mine[0], Path(folder))
        inputs = time.perf_counter() - began
        (one, building), (three, _) = (_timed(small, choice, mine, epochs, Path(folder)) for epochs in (1, 3))
    scale = n / len(chosen)
    steps = steps_per_epoch(kept, size) / steps_per_epoch(int(mine[0].keep.sum()), size)
    epoch = max(0.0, three - one) / 2
    return Trial(
        choice=choice,
        inputs=inputs * scale,
        fixed=building + max(0.0, one - epoch) * scale,
        training=epoch * steps * experiment.recipe.train.epochs,
        bytes=max(_peak_bytes() - before, 64 << 20),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Watched(Experiment):
    """Notes how long building each network takes, which does not depend on the number of samples."""

    seconds: list[float] = field(default_factory=list)

    def begin(self, row: Row) -> Trainee:
        began = time.perf_counter()
        try:
            return super().begin(row)
        finally:
            self.seconds.append(time.perf_counter() - began)


def _timed(small: Experiment, choice: Choice, rows: Sequence[Row], epochs: int, folder: Path) -> tuple[float, float]:
    """Seconds that train the rows, and those that build their networks."""
    short = small.recipe.train.model_copy(update={"epochs": epochs, "patience": None})
    fields = {one.name: getattr(small, one.name) for one in dataclasses.fields(small)}
    watched = _Watched(**fields | {"recipe": small.recipe.model_copy(update={"train": short})})
    materialised = choice.engine.materialise(watched, rows[0], folder)
    list(choice.engine.train(materialised, rows[:1]))  # the first call of a kind is slower than the others
    found: list[tuple[float, float]] = []
    while not found or sum(map(sum, found)) < REPEATED:
        watched.seconds.clear()
        began = time.perf_counter()
        list(choice.engine.train(materialised, rows))
        building = math.fsum(watched.seconds)
        found.append((time.perf_counter() - began - building, building))
    return min(found)


def _subset(experiment: Experiment, chosen: Int[np.ndarray, " chosen"]) -> Experiment:
    dataset, pool = experiment.dataset, experiment.pool
    arrays = {name: getattr(pool, name)[chosen] for name in ("labels", "member", "held_out", "validation")}
    return dataclasses.replace(
        experiment,
        dataset=dataclasses.replace(at(dataset, chosen), groups=None, times=None),
        pool=dataclasses.replace(pool, groups=None, times=None, **arrays),
    )


def _subset_row(row: Row, chosen: Int[np.ndarray, " chosen"]) -> Row:
    targets = None if row.targets is None else row.targets[chosen]
    return dataclasses.replace(row, keep=row.keep[chosen], targets=targets)


def _answering(experiment: Experiment, batch: Sequence[Row]) -> int:
    """What a batch takes in proportion to the samples, which a trial on a few of them does not show: masks, logits and
    their copy, and answers until they are written, with the copy that is."""
    n = len(experiment.dataset)
    own = 4 * n * len(experiment.dataset.classes)
    logits = [own, max(own, min(own * len(batch), 4 * LARGEST))]
    written = ANSWER_BYTES * n * min(len(batch), replicas_held(n))
    return len(batch) * n + sum(one - _in_file(one) for one in logits) + 2 * written


def _in_file(size: int) -> int:
    return size if size > IN_MEMORY else 0


def _own_bytes() -> int:
    """Memory of this process that no file backs; where the system does not tell, the most it has taken."""
    with contextlib.suppress(OSError):
        told = re.findall(r"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB", Path("/proc/self/status").read_text(), re.M)
        if told:
            return 1024 * sum(map(int, told))
    return _peak_bytes()


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _priced(experiment: Experiment, rows: Sequence[Row], workers: int, trials: Mapping[Kind, Trial]) -> Price:
    lines, n = [], len(experiment.dataset)
    for kind, trial in trials.items():
        mine = [row for row in rows if kind_of(row) == kind]
        if not mine:
            continue
        batches = trial.choice.engine.together(experiment, mine)
        # Rows with fewer samples train fewer steps than the batch that was timed.
        full = max(int(row.keep.sum()) for row in mine)
        share = sum(max(int(row.keep.sum()) for row in batch) for batch in batches) / (full * len(batches))
        lines.append(
            RowGroup(
                designs=dict(Counter(row.design for row in mine)),
                engine=trial.choice.engine.name,
                refused=trial.choice.refused,
                batches=len(batches),
                inputs_seconds=trial.inputs,
                batch_seconds=trial.fixed + trial.training * share,
                batch_bytes=trial.bytes + _answering(experiment, batches[0]),
                run_in=run_in(trial.choice.engine, experiment),
            )
        )
    processes = any(line.spawns(workers) for line in lines)
    inputs, answers = experiment.inputs.numel() * experiment.inputs.element_size(), ANSWER_BYTES * n * len(rows)
    held = _own_bytes() + min(answers, ANSWERS_IN_MEMORY) + min(inputs, IN_MEMORY)
    held += max((line.batch_bytes * line.at_once(workers) for line in lines), default=0)
    return Price(
        lines=tuple(lines),
        workers=workers,
        seconds=PROCESS_SECONDS * processes + sum(line.seconds(workers) for line in lines),
        bytes=held + PROCESS_BYTES * (workers - 1) * processes,
        # Answers are collected, then stacked; the store has them too.
        disk=_in_file(inputs) + 2 * _in_file(answers) + answers,
        power=power(experiment.pool, rows),
    )
