"""Processes that run tasks beside the command: forks of it where possible, else processes that import torch anew."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from audit.engines.base import Engine
from audit.engines.materialised import Materialised
from audit.population.tasks import Done, Job, Task, run_task
from audit.runtime.forking import can_fork, leave_to_the_parent
from audit.runtime.threads import keep_pages
from audit.storage.atomic import why_not_written
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.errors import StoreError, TrainerError

IDLE = 20
"""Seconds after which an idle process ends and releases its memory."""


@runtime_checkable
class Workers(Protocol):
    """Processes that are begun together, each running one task at a time."""

    killed: type[Exception]
    """What a task's future raises if its process was killed."""
    immediate: bool
    """Whether beginning takes no time, so that it pays off however little there is to do."""

    def begin(self, count: int) -> None:
        """Raises StoreError if the disk is full."""
        ...

    def submit(self, task: Task, store: Store) -> Future[list[Done]]: ...

    def end(self, *, busy: bool) -> None:
        """Kills the processes that are still at work, if any are `busy`."""
        ...


def forks_train(experiment: Experiment) -> bool:
    """Whether replicas are trained in forks: only by the recipe's own training, because the libraries of a user's
    trainer may have started threads, which a fork lacks and may wait for; the same holds for torch's compiler."""
    own = experiment.trainer is None and not experiment.recipe.train.compile
    return own and can_fork(experiment.device)


RunIn = Literal["threads", "forks", "spawned"]
SENT = 1 << 16
"""Samples up to which forks send many replicas' answers at once: beyond, the memory that these take in transit counts,
and products are so large that threads hardly wait for one another."""


def run_in(engine: Engine, experiment: Experiment) -> RunIn:
    """Where the engine's tasks run if there are several workers. Forks do not share an interpreter lock, for which
    threads that train small networks wait a fifth of their time."""
    if engine.workers == "processes":
        return "forks" if forks_train(experiment) else "spawned"
    return "forks" if forks_train(experiment) and len(experiment.dataset) <= SENT else "threads"


def workers_of(job: Job) -> Workers:
    return Forks(job) if forks_train(job.materialised.experiment) else Spawned(job)


class Forks:
    """They share this process's memory, so nothing is sent or imported, and starting one takes some hundredths of a
    second."""

    killed: type[Exception] = BrokenProcessPool
    immediate = True

    def __init__(self, job: Job) -> None:
        self.job = job
        self.executor: ProcessPoolExecutor | None = None
        self.children: list[BaseProcess] = []

    def begin(self, count: int) -> None:
        self.executor = ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_begin_fork,
            initargs=(os.getpid(), self.job),
        )

    def submit(self, task: Task, store: Store) -> Future[list[Done]]:
        assert self.executor is not None
        if self.children:
            return self.executor.submit(_run_inherited, task, store)
        before = multiprocessing.active_children()
        began = False
        try:
            with warnings.catch_warnings():
                # Python 3.12 and later warn that other threads are running. Only this thread continues in a fork, and
                # it waits for none.
                warnings.simplefilter("ignore", DeprecationWarning)
                future = self.executor.submit(_run_inherited, task, store)
            began = True
        finally:
            self.children = [child for child in multiprocessing.active_children() if child not in before]
            if not began:
                self._kill()
        return future

    def end(self, *, busy: bool) -> None:
        if busy:
            self._kill()
        if self.executor is not None:
            self.executor.shutdown(cancel_futures=True)

    def _kill(self) -> None:
        for child in self.children:
            child.kill()


_inherited: list[Job] = []


def _begin_fork(parent: int, job: Job) -> None:
    _begin_worker(parent)
    _inherited[:] = [job]


def _run_inherited(task: Task, store: Store) -> list[Done]:
    (job,) = _inherited
    return _run(job.engine, job.materialised, task, store, job.folder)


class Spawned:
    """They import torch, which takes some seconds each, and are kept for the next job. The experiment is sent once, as
    a file that every process maps."""

    killed: type[Exception] = TerminatedWorkerError
    immediate = False

    def __init__(self, job: Job) -> None:
        self.job = job
        self.path = job.folder / "materialised"
        self.executor: Any = None

    def begin(self, count: int) -> None:
        try:
            # As it was created: otherwise everything read from its file since would be sent to each process.
            joblib.dump((self.job.engine, self.job.materialised.bare()), self.path)
        except OSError as error:
            raise StoreError(
                why_not_written(error),
                where=str(self.path.parent),
                do="Free space or choose another --store; finished replicas are kept.",
            ) from None
        self.executor = get_reusable_executor(
            count,
            timeout=IDLE,
            initializer=_begin_worker,
            initargs=(os.getpid(),),
            env={"OMP_NUM_THREADS": "1"},
        )

    def submit(self, task: Task, store: Store) -> Future[list[Done]]:
        future: Future[list[Done]] = self.executor.submit(_run_mapped, self.path, task, store)
        return future

    def end(self, *, busy: bool) -> None:
        if busy:
            self.executor.shutdown(kill_workers=True)


_mapped: dict[Path, tuple[Engine, Materialised]] = {}


def _run_mapped(path: Path, task: Task, store: Store) -> list[Done]:
    """The experiment is read once per process."""
    if path not in _mapped:
        _mapped.clear()
        _mapped[path] = joblib.load(path, mmap_mode="c")
    return _run(*_mapped[path], task, store, path.parent)


def _run(engine: Engine, materialised: Materialised, task: Task, store: Store, folder: Path) -> list[Done]:
    try:
        return run_task(engine, materialised, task, store, folder)
    except SystemExit:  # it would end the command with the exit code of the user's code
        raise TrainerError("the recipe's own code ended a worker process.", do="Let it return or raise.") from None


def _begin_worker(parent: int) -> None:
    """Ctrl-C and a hangup reach every process of a terminal, and the parent decides what to do. If the parent was
    killed, this process ends too; otherwise it would wait forever for its result to be taken."""
    leave_to_the_parent()
    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()
    keep_pages()


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
