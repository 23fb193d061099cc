"""Additional processes that take tasks from the same queue as the command's own."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import joblib
from joblib.externals.loky import get_reusable_executor

from audit.engines.base import Engine
from audit.engines.materialised import Materialised
from audit.population.tasks import Done, Job, Task, run_task
from audit.runtime.threads import keep_pages
from audit.storage.atomic import why_not_written
from audit.storage.store import Store
from probes.errors import StoreError, TrainerError

IDLE = 20
"""Seconds after which an idle process ends and releases its memory."""


def take(rest: deque[Task]) -> Task | None:
    """The next task, or None; other threads take tasks concurrently, one for each process."""
    try:
        return rest.popleft()
    except IndexError:
        return None


class Processes:
    """Additional processes. Each is sent its next task from the executor's own thread as soon as it finishes one, so
    that none waits for what this process is doing. The experiment is sent once, as a file that every process maps."""

    def __init__(self, job: Job, store: Store, rest: deque[Task], count: int) -> None:
        self.job, self.store, self.rest, self.count = job, store, rest, count
        self.path = job.folder / "materialised"
        self.executor: Any = None
        self.sent: list[Future[list[Done]]] = []
        self.finished: SimpleQueue[Future[list[Done]]] = SimpleQueue()
        self.heard = 0

    @property
    def begun(self) -> bool:
        return self.executor is not None

    @contextlib.contextmanager
    def soon(self, after: float) -> Iterator[None]:
        """Begins processes after `after` seconds if the task still runs: it is then assumed to be one of many equally
        long ones."""
        timer = threading.Timer(after, self._begin_if_possible)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def _begin_if_possible(self) -> None:
        """Ignores errors here: they are reported when this process runs the tasks itself."""
        if self.count and self.rest:
            with contextlib.suppress(StoreError):
                self.begin()

    def begin(self) -> None:
        """Raises StoreError if the disk is full."""
        try:
            # As it was created: otherwise everything read from its file since would be sent to each process.
            joblib.dump((self.job.engine, self.job.materialised.bare()), self.path)
        except OSError as error:
            raise StoreError(
                why_not_written(error),
                where=str(self.path.parent),
                do="Free space or choose another --store; finished replicas are kept.",
            ) from None
        count = min(self.count, len(self.rest))
        self.executor = get_reusable_executor(
            count,
            timeout=IDLE,
            initializer=_begin_worker,
            initargs=(os.getpid(),),
            env={"OMP_NUM_THREADS": "1"},
        )
        for _ in range(count):
            self._send()

    def _send(self) -> None:
        if (task := take(self.rest)) is not None:
            try:
                future = self.executor.submit(_run_mapped, self.path, task, self.store)
            except Exception:
                self.rest.appendleft(task)
                raise
            self.sent.append(future)
            future.add_done_callback(self._hear)

    def _hear(self, future: Future[list[Done]]) -> None:
        """Runs in the executor's thread. The next task is sent before this one is reported, so that the queue never
        looks empty too early; if no process can take it, it waits for this one."""
        if not future.cancelled() and future.exception() is None:
            with contextlib.suppress(BrokenExecutor):
                self._send()
        self.finished.put(future)

    @property
    def busy(self) -> bool:
        return self.heard < len(self.sent)

    def done(self, *, wait: bool) -> Iterator[Done]:
        """The tasks finished since the last call; with `wait`, at least one."""
        while self.busy and (wait or not self.finished.empty()):
            future = self.finished.get()
            self.heard, wait = self.heard + 1, False
            yield from future.result()

    def end(self) -> None:
        self.rest.clear()
        if self.busy:
            self.executor.shutdown(kill_workers=True)


def _begin_worker(parent: int) -> None:
    """Ctrl-C reaches every process of a terminal, and the parent decides what to do. If the parent was killed, this
    process ends too; otherwise it would wait forever for its result to be taken."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_without, args=(parent,), daemon=True).start()
    keep_pages()


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


_mapped: dict[Path, tuple[Engine, Materialised]] = {}


def _run_mapped(path: Path, task: Task, store: Store) -> list[Done]:
    """Runs in a worker: the experiment is read once per process."""
    if path not in _mapped:
        _mapped.clear()
        _mapped[path] = joblib.load(path, mmap_mode="c")
    try:
        return run_task(*_mapped[path], task, store, path.parent)
    except SystemExit:  # it would end the command with the exit code of the user's code
        raise TrainerError("the recipe's own code ended a worker process.", do="Let it return or raise.") from None
