"""Where tasks run: here, on threads, in processes. Each task runs on one thread, so none of this changes a bit."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import joblib
import torch
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from audit.engines.engine import Engine, Outcome
from audit.engines.stage import Stage
from audit.engines.stop import obey
from audit.queries import answers_with_queries
from audit.runtime import keep_pages, workers_for
from audit.seats import sit
from audit.store import Replica, Store
from probes.errors import AuditError
from probes.plan import Row

STORED_TOGETHER = 16
"""Replicas of a task that are held until they are stored; each waits for the disk, so they wait at once."""
WORTH_PROCESSES = 8.0
"""Seconds of work left from which on starting processes (each imports torch) pays."""
IDLE = 20
"""Seconds after which a process without a task ends and gives back its memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Rows trained at once, their keys in the store, and the keys of those whose weights are kept."""

    rows: tuple[Row, ...]
    keys: tuple[str, ...]
    looked_into: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """Tasks of one engine in one stage; `folder` is where the stage may be written for other processes."""

    engine: Engine
    stage: Stage
    tasks: Sequence[Task]
    folder: Path


Done = tuple[str, Replica]
"""A key, and the replica without its weights: they lie in the store."""


def execute(job: Job, store: Store, workers: int) -> Iterator[Done]:
    """All tasks, in whatever order they are done, each stored before it is heard of."""
    workers = min(workers or workers_for(job.stage.device), len(job.tasks))
    if job.engine.workers == "threads" and job.tasks:
        yield from _on_threads(job, store, workers)
        return
    keep_pages()
    began, rest = time.monotonic(), deque(job.tasks)
    while rest:
        yield from run_task(job.engine, job.stage, rest.popleft(), store, job.folder)
        spent, done = time.monotonic() - began, len(job.tasks) - len(rest)
        if workers > 1 and len(rest) > 1 and spent / done * len(rest) > WORTH_PROCESSES:
            yield from _beside_processes(job, rest, store, min(workers, len(rest)) - 1)


def run_task(
    engine: Engine,
    stage: Stage,
    task: Task,
    store: Store,
    folder: Path,
    processor: AbstractContextManager[object] | None = None,
) -> list[Done]:
    """Train, while holding the `processor`, and store. `folder` is the job's."""
    sit(folder, stage.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        done: list[Done] = []
        trained = train(engine, stage, task)
        while True:
            with processor or contextlib.nullcontext():
                some = list(itertools.islice(trained, STORED_TOGETHER))
            if not some:
                return done
            store.put_all(some)
            done += [(key, Replica(answers=replica.answers, state={})) for key, replica in some]
    finally:
        torch.set_num_threads(threads)


def train(engine: Engine, stage: Stage, task: Task) -> Iterator[Done]:
    """The task's replicas with their weights where they are kept. An expected error names the replica."""
    keys = dict(zip((row.name for row in task.rows), task.keys, strict=True))
    try:
        for outcome in engine.train(stage, task.rows):
            key = keys[outcome.row.name]
            state = changed(stage, outcome) if key in task.looked_into else {}
            targets = stage.targets(outcome.row).numpy()
            yield key, Replica(answers=answers_with_queries(outcome.logits, targets), state=state)
    except AuditError as error:
        raise type(error)(error.what, where=error.where or f"replica {task.rows[0].name}", do=error.do) from None


def changed(stage: Stage, outcome: Outcome) -> dict[str, torch.Tensor]:
    """The weights and buffers that training moved: all else is θ_s."""
    before = stage.whole.begin(outcome.row).network.state_dict()
    return {name: value.contiguous() for name, value in outcome.state.items() if not torch.equal(value, before[name])}


def _on_threads(job: Job, store: Store, workers: int) -> Iterator[Done]:
    """Twice as many threads as processors: while one waits for the disk another trains."""
    processors, order = threading.BoundedSemaphore(workers), threading.Event()
    pool = ThreadPoolExecutor(2 * workers, initializer=obey, initargs=(order,))
    try:
        futures = [
            pool.submit(run_task, job.engine, job.stage, task, store, job.folder, processors) for task in job.tasks
        ]
        for future in as_completed(futures):
            yield from future.result()
    finally:
        order.set()
        pool.shutdown(cancel_futures=True)


def _beside_processes(job: Job, rest: deque[Task], store: Store, others: int) -> Iterator[Done]:
    """Here and in `others` more processes, which take a second task while they train the first. The stage travels once,
    as a file that every process maps."""
    path = job.folder / "stage"
    joblib.dump((job.engine, job.stage), path)
    executor = get_reusable_executor(
        others,
        timeout=IDLE,
        initializer=_begin_worker,
        initargs=(os.getpid(),),
        env={"OMP_NUM_THREADS": "1"},
    )
    sent: dict[Future[list[Done]], Task] = {}
    try:
        while rest or sent:
            while rest and len(sent) < 2 * others:
                task = rest.popleft()
                sent[executor.submit(_run_mapped, path, task, store)] = task
            # The last of those that wait in vain are trained here.
            mine = rest.popleft() if rest else next((sent.pop(f) for f in reversed(list(sent)) if f.cancel()), None)
            if mine is not None:
                yield from run_task(job.engine, job.stage, mine, store, job.folder)
            for future in wait(sent, timeout=0 if mine else None, return_when=FIRST_COMPLETED).done:
                del sent[future]
                yield from future.result()
    except TerminatedWorkerError:
        raise AuditError(
            "a worker process was killed, for want of memory perhaps.", do="Run again with fewer --workers to go on."
        ) from None
    finally:
        if sent:
            executor.shutdown(kill_workers=True)


def _begin_worker(parent: int) -> None:
    """Ctrl-C reaches every process of a terminal, and the one that started this decides what to do. Where that one was
    killed, this ends too: else it would wait forever for somebody to take its result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()
    keep_pages()


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


_mapped: dict[Path, tuple[Engine, Stage]] = {}


def _run_mapped(path: Path, task: Task, store: Store) -> list[Done]:
    """In a worker: the stage is read once a process."""
    if path not in _mapped:
        _mapped.clear()
        _mapped[path] = joblib.load(path, mmap_mode="c")
    return run_task(*_mapped[path], task, store, path.parent)
