"""From a plan to a population: rows, engines, executors, and what is already in the store."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from audit.engines.registry import Kind, kind_of
from audit.population.executors.local import execute
from audit.population.schedule import Batch, schedule
from audit.population.shard import Shard
from audit.population.tasks import Done, Job
from audit.population.time_left import Pace
from audit.population.trainer_checks import Untrained
from audit.runtime.devices import workers_for
from audit.runtime.randomness import stream
from audit.storage.scratch import scratch
from audit.storage.store import ANSWERS, QUERIED, Lookups, Replica, Store
from audit.training.experiment import Experiment
from probes.answers import Answers
from probes.errors import Interrupted, StoreError
from probes.large_arrays import IN_MEMORY, Collected, concatenate
from probes.plan import Plan, Pool, Row
from probes.population import Population


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`seconds_left` is None until every engine with work left has finished a replica."""

    done: int
    total: int
    cached: int
    seconds_left: float | None
    engine: str


Executor = Literal["processes", "ray"]
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicas:
    """The population, and the networks of the rows whose weights were kept; these stay in the store until asked for."""

    population: Population
    experiment: Experiment
    store: Store
    keys: Mapping[str, str]
    """Keys of the rows whose weights were kept, by row name."""

    def has_network(self, row: Row) -> bool:
        return row.name in self.keys

    def network(self, row: Row) -> nn.Module:
        """The row's trained network in eval mode, rebuilt from θ_s and the changed weights. Raises StoreError if the
        entry was removed meanwhile."""
        replica = self.store.get(self.keys[row.name])
        if replica is None:
            raise StoreError(
                f"the weights of replica {row.name} are missing or damaged.",
                where=str(self.store.folder),
                do="Run again.",
            )
        network = self.experiment.begin(row).network
        network.load_state_dict({**network.state_dict(), **replica.state}, strict=True)
        return network.eval()


def joined(parts: Sequence[Replicas]) -> Replicas:
    """Several populations of one experiment and store as one, in this order."""
    first = parts[0]
    rows = tuple(row for part in parts for row in part.population.rows)
    stacked = _stack([part.population.answers for part in parts], first.experiment)
    return dataclasses.replace(
        first,
        population=Population(rows=rows, answers=stacked),
        keys={name: key for part in parts for name, key in part.keys.items()},
    )


def rows_of(plan: Plan, pool: Pool, seed: int) -> list[Row]:
    """All rows of a plan in balanced rounds: first the first repeat of every design, then the second."""
    kept = Collected()
    rows = [
        dataclasses.replace(row, keep=kept.keep(row.keep), keeps_weights=design.keeps_weights(row))
        for design in plan.designs
        for row in design.rows(pool, stream(seed, "plan", design.stream))
    ]
    return sorted(rows, key=lambda row: row.repeat)


def populate(
    experiment: Experiment,
    rows: Sequence[Row],
    *,
    store: Store,
    workers: int = 0,
    executor: Executor = "processes",
    address: str | None = None,
    by_design: bool = False,
    on_progress: OnProgress = lambda progress: None,
) -> Replicas:
    """Train what the store does not have, each replica on one thread, so that the number of workers does not change a
    bit. `executor` "ray" sends the same tasks to the Ray cluster at `address` (None starts one here).

    The population has the order of `rows`; with `by_design`, the rows of a design stand together, so that nothing is
    copied to look at one design.

    Finished replicas are kept, whenever the run ends. Raises Interrupted on Ctrl-C, StoreError, and what training
    raises.
    """
    batches = schedule(experiment, rows, store)
    run = _runner(executor, store, workers, address)
    found = _trained(experiment, batches, store, run, on_progress)
    key_by_row = _keys(batches)
    if by_design:
        designs = list(dict.fromkeys(row.design for row in rows))
        rows = sorted(rows, key=lambda row: designs.index(row.design))
    keys = [key_by_row[id(row)] for row in rows]
    return Replicas(
        population=Population(rows=tuple(rows), answers=_stack([found[key] for key in keys], experiment)),
        experiment=experiment,
        store=store,
        keys={row.name: key for row, key in zip(rows, keys, strict=True) if _has_weights(experiment, row, key, store)},
    )


def train_share(
    experiment: Experiment,
    rows: Sequence[Row],
    shard: Shard,
    *,
    store: Store,
    workers: int = 0,
    on_progress: OnProgress = lambda progress: None,
) -> int:
    """Train the shard's share of a population into the store, where `populate` of the same rows finds it, on any
    machine. Returns the number of replicas in the share. Raises as `populate` does."""
    run = _runner("processes", store, workers, None)
    found = _trained(experiment, shard.batches(schedule(experiment, rows, store)), store, run, on_progress)
    store.share(found)
    return len(found)


def _keys(batches: Sequence[Batch]) -> dict[int, str]:
    """The key of each row, by the row's identity."""
    return {id(row): key for batch in batches for row, key in zip(batch.task.rows, batch.task.keys, strict=True)}


def _trained(
    experiment: Experiment,
    batches: Sequence[Batch],
    store: Store,
    run: Callable[[Job], Iterator[Done]],
    on_progress: OnProgress,
) -> dict[str, Answers]:
    """The answers of all rows of the batches by key: from the store, or trained now."""
    key_by_row = _keys(batches)
    found: dict[str, Answers] = {}
    kept = Collected()
    rows = [row for batch in batches for row in batch.task.rows]
    row_by_key = {key_by_row[id(row)]: row for row in rows if row.targets is None}
    untrained = Untrained(experiment, row_by_key)
    store.fetch(key_by_row.values())
    for key in dict.fromkeys(key_by_row.values()):
        if (replica := store.get(key)) is not None:
            found[key] = replica.answers.each(kept.keep)
            untrained.hear(key, replica.answers)
    missing = [batch for batch in batches if any(key not in found for key in batch.task.keys)]
    total = len(set(key_by_row.values()))
    cached = len(found)
    if total:
        store.note(Lookups(asked=total, found=cached))
    todo = {key: batch.choice.engine.name for batch in missing for key in batch.task.keys if key not in found}
    pace = Pace(Counter(todo.values()))
    on_progress(Progress(done=cached, total=total, cached=cached, seconds_left=None, engine=""))
    try:
        for engine, key, replica in _train(experiment, missing, store, run):
            found[key] = replica.answers.each(kept.keep)
            untrained.hear(key, replica.answers)
            done, left = len(found), pace.after(engine)
            on_progress(Progress(done=done, total=total, cached=cached, seconds_left=left, engine=engine))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted; {sum(map(store.holds, set(key_by_row.values())))} of {total} replicas are kept.",
            do="Run again to continue from here.",
        ) from None
    return found


def _has_weights(experiment: Experiment, row: Row, key: str, store: Store) -> bool:
    """The weights if they were requested; a trainer may return a model without any."""
    if not row.keeps_weights or experiment.trainer is None:
        return row.keeps_weights
    replica = store.get(key)
    return replica is not None and bool(replica.state)


def processors(executor: Executor, address: str | None, device: str) -> int:
    """The default number of tasks that run at once."""
    if executor == "ray":
        from audit.population.executors.ray import processors_of

        return processors_of(address, device)
    return workers_for(device)


def _runner(executor: Executor, store: Store, workers: int, address: str | None) -> Callable[[Job], Iterator[Done]]:
    if executor == "ray":
        from audit.population.executors.ray import execute_on_ray

        return lambda job: execute_on_ray(job, store, address)
    return lambda job: execute(job, store, workers)


def _train(
    experiment: Experiment, missing: Sequence[Batch], store: Store, run: Callable[[Job], Iterator[Done]]
) -> Iterator[tuple[str, str, Replica]]:
    """(engine, key, replica) as they finish; batches of one kind of row share their inputs."""
    kinds: dict[Kind, list[Batch]] = {}
    for batch in missing:
        kinds.setdefault(kind_of(batch.task.rows[0]), []).append(batch)
    for batches in kinds.values():
        engine = batches[0].choice.engine
        tasks = {batch.task.keys: batch.task for batch in batches}
        with scratch(store.folder) as folder:
            materialised = engine.materialise(experiment, batches[0].task.rows[0], folder)
            job = Job(engine=engine, materialised=materialised, tasks=list(tasks.values()), folder=folder)
            for key, replica in run(job):
                yield engine.name, key, replica


def _stack(parts: Sequence[Answers], experiment: Experiment) -> Answers:
    n = len(experiment.dataset)
    empty = {name: np.zeros((0, n), dtype=np.int32 if name == "predicted" else np.float32) for name in ANSWERS}
    asked = QUERIED if parts and all(part.query_margin is not None for part in parts) else ()
    names = (*ANSWERS, *asked)
    each = IN_MEMORY // len(names)
    columns = {
        name: concatenate([getattr(part, name) for part in parts], in_memory=each) if parts else empty[name]
        for name in names
    }
    return Answers(**columns)
