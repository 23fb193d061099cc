"""From a plan to a population: rows, engines, processes, and what is already in the store."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from torch import nn

from audit.engines import tail
from audit.experiment import Experiment
from audit.randomness import stream
from audit.store import ANSWERS, Replica, Store, key_of
from audit.train import fine_tune, predict
from probes.errors import AuditError
from probes.evidence import Answers, Population, answers
from probes.plan import Plan, Pool, Row

LOOKED_INTO = ("seeds",)
"""Designs whose weights are kept: their replicas are looked into."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`seconds_left` is None until the first replica is done."""

    done: int
    total: int
    cached: int
    seconds_left: float | None
    engine: str


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicas:
    """The population, and the networks of the rows whose weights were kept."""

    population: Population
    experiment: Experiment
    states: Mapping[str, Replica]

    def has_network(self, row: Row) -> bool:
        return row.name in self.states

    def network(self, row: Row) -> nn.Module:
        """The row's trained network in eval mode, rebuilt from θ_s and what changed."""
        network = self.experiment.begin(row).network
        network.load_state_dict({**network.state_dict(), **self.states[row.name].state}, strict=True)
        return network.eval()


def rows_of(plan: Plan, pool: Pool, seed: int) -> list[Row]:
    """All rows of a plan in balanced rounds: first every design's first repeat, then every second."""
    rows = [row for design in plan.designs for row in design.rows(pool, stream(seed, "plan", design.stream))]
    return sorted(rows, key=lambda row: row.repeat)


def populate(
    experiment: Experiment,
    rows: Sequence[Row],
    *,
    store: Store,
    workers: int = 0,
    on_progress: OnProgress = lambda progress: None,
) -> Replicas:
    """Train what the store does not have, each replica on one thread, so that the number of workers changes no bit.

    What is done is kept, whenever the run ends.
    """
    keys = [key_of(experiment, row, with_state=row.design in LOOKED_INTO) for row in rows]
    found = {key: replica for key in dict.fromkeys(keys) if (replica := store.get(key)) is not None}
    missing = {key: row for key, row in zip(keys, rows, strict=True) if key not in found}
    done = cached = len(rows) - len(missing)
    on_progress(Progress(done=done, total=len(rows), cached=cached, seconds_left=None, engine=""))
    began = time.monotonic()
    for engine, stage, tasks in _stages(experiment, missing):
        for key, replica in _train_all(stage, experiment, tasks, store, workers):
            found[key] = replica
            done += 1
            left = (time.monotonic() - began) / (done - cached) * (len(rows) - done)
            on_progress(Progress(done=done, total=len(rows), cached=cached, seconds_left=left, engine=engine))
    replicas = [found[key] for key in keys]
    return Replicas(
        population=Population(rows=tuple(rows), answers=_stack([replica.answers for replica in replicas], experiment)),
        experiment=experiment,
        states={row.name: replica for row, replica in zip(rows, replicas, strict=True) if replica.state},
    )


Tasks = Mapping[str, Row]


def _stages(experiment: Experiment, missing: Tasks) -> Iterator[tuple[str, Experiment, Tasks]]:
    """(engine, the experiment it trains in, its rows): rows that share a cut share its activations."""
    kinds: dict[tuple[str, str], dict[str, Row]] = {}
    for key, row in missing.items():
        kinds.setdefault((row.start, row.transfer), {})[key] = row
    for tasks in kinds.values():
        first = next(iter(tasks.values()))
        if tail.refusal(experiment, first) is None:
            yield "tail", tail.behind_cut(experiment, first), tasks
        else:
            yield "full", experiment, tasks


def _train_all(
    stage: Experiment, whole: Experiment, tasks: Tasks, store: Store, workers: int
) -> Iterator[tuple[str, Replica]]:
    """(key, replica) as they are done. The experiment travels once, as a file that every process maps."""
    count = min(workers or os.cpu_count() or 1, len(tasks))
    if count == 1:
        for key, row in tasks.items():
            yield train_one(stage, whole, key, row, store)
        return
    with tempfile.TemporaryDirectory(prefix="transfer-audit-") as folder:
        path = Path(folder) / "experiment"
        joblib.dump((stage, whole), path)
        calls = (joblib.delayed(_train_mapped)(path, key, row, store) for key, row in tasks.items())
        yield from joblib.Parallel(n_jobs=count, return_as="generator_unordered", batch_size=1)(calls)


_mapped: dict[Path, tuple[Experiment, Experiment]] = {}


def _train_mapped(path: Path, key: str, row: Row, store: Store) -> tuple[str, Replica]:
    """In a worker: the experiment is read once a process."""
    if path not in _mapped:
        _mapped.clear()
        _mapped[path] = joblib.load(path)
    return train_one(*_mapped[path], key, row, store)


def train_one(stage: Experiment, whole: Experiment, key: str, row: Row, store: Store) -> tuple[str, Replica]:
    """One row by the visible loop, on one thread, stored at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trained = fine_tune(stage, row)
        logits = predict(trained.network, stage.inputs)
    except AuditError as error:
        raise type(error)(error.what, where=error.where or f"replica {row.name}", do=error.do) from None
    finally:
        torch.set_num_threads(threads)
    state = {}
    if row.design in LOOKED_INTO:
        before = whole.begin(row).network.state_dict()
        after = trained.network.state_dict()
        state = {name: value for name, value in after.items() if not torch.equal(value, before[name])}
    replica = Replica(answers=answers(logits[None], stage.targets(row).numpy()), state=state)
    store.put(key, replica)
    return key, replica


def _stack(parts: Sequence[Answers], experiment: Experiment) -> Answers:
    n = len(experiment.dataset)
    empty = {name: np.zeros((0, n), dtype=np.int32 if name == "predicted" else np.float32) for name in ANSWERS}
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) if parts else empty[name] for name in ANSWERS
    }
    return Answers(**columns)
