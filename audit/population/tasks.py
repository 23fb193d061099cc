"""A task: rows that one engine trains at once, on one thread, anywhere; each replica is stored before it is
reported."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from audit.engines.base import Engine, Outcome
from audit.engines.materialised import Materialised
from audit.population.executors.device_assignment import take_device
from audit.runtime.threads import threads
from audit.storage.store import Replica, Store
from audit.training.test_time_views import answers_with_queries
from probes.errors import AuditError, TrainerError
from probes.large_arrays import Collected
from probes.plan import Row

STORED_TOGETHER, SAMPLES_HELD = 16, 1 << 21
"""Replicas of a task that are held until they are stored, and samples that they answer in all; each waits for the disk,
so they are written concurrently."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Rows trained at once, their keys in the store, and the keys of those whose weights are kept."""

    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    looked_into: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Tasks of one engine on one materialised experiment, which may be written to `folder` for other processes."""

    engine: Engine
    materialised: Materialised
    tasks: Sequence[Task]
    folder: Path


Done = tuple[str, Replica]
"""A key, and the replica without its weights, which are in the store."""


def replicas_held(samples: int) -> int:
    """Replicas of a task that are written at once."""
    return min(STORED_TOGETHER, max(1, SAMPLES_HELD // samples))


def run_task(
    engine: Engine,
    materialised: Materialised,
    task: Task,
    store: Store,
    folder: Path,
    processor: AbstractContextManager[object] | None = None,
) -> list[Done]:
    """Train, while holding the `processor`, and store. `folder` is the job's."""
    take_device(folder, materialised.experiment.device)
    with threads(1):
        done: list[Done] = []
        together = replicas_held(len(materialised.experiment.dataset))
        kept = Collected()
        trained = train(engine, materialised, task)
        while True:
            with processor or contextlib.nullcontext():
                some = list(itertools.islice(trained, together))
            if not some:
                return done
            store.put_all(some)
            done += [(key, Replica(answers=replica.answers.each(kept.keep), state={})) for key, replica in some]


def train(engine: Engine, materialised: Materialised, task: Task) -> Iterator[Done]:
    """The task's replicas, with their weights if they are kept. An expected error names the replica."""
    keys = dict(zip((row.name for row in task.rows), task.keys, strict=True))
    try:
        for outcome in engine.train(materialised, task.rows):
            key = keys[outcome.row.name]
            state = changed(materialised, outcome) if key in task.looked_into else {}
            targets = materialised.experiment.targets(outcome.row).numpy()
            yield key, Replica(answers=answers_with_queries(outcome.logits, targets), state=state)
    except TrainerError:  # names the replica itself, and carries more information than others
        raise
    except AuditError as error:
        raise type(error)(error.what, where=error.where or f"replica {task.rows[0].name}", do=error.do) from None


def changed(materialised: Materialised, outcome: Outcome) -> dict[str, torch.Tensor]:
    """The weights and buffers that training changed: everything else is θ_s. A trainer's are kept completely."""
    if materialised.experiment.trainer is not None:
        return dict(outcome.state)
    before = materialised.experiment.begin(outcome.row).network.state_dict()
    return {name: value.contiguous() for name, value in outcome.state.items() if not torch.equal(value, before[name])}
