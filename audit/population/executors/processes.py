"""Additional processes that take tasks from the same queue as the command's own."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from queue import SimpleQueue

from audit.population.executors.killed import CONTINUE, KILLED
from audit.population.executors.workers import workers_of
from audit.population.tasks import Done, Job, Task
from audit.storage.store import Store
from probes.errors import AuditError, StoreError


def take(rest: deque[Task]) -> Task | None:
    """The next task, or None; other threads take tasks concurrently, one for each process."""
    try:
        return rest.popleft()
    except IndexError:
        return None


class Processes:
    """Additional processes. Each is sent its next task from the executor's own thread as soon as it finishes one, so
    that none waits for what this process is doing."""

    def __init__(self, job: Job, store: Store, rest: deque[Task], count: int) -> None:
        self.store, self.rest, self.count = store, rest, count
        self.workers = workers_of(job)
        self.begun = False
        self.sent: list[Future[list[Done]]] = []
        self.finished: SimpleQueue[Future[list[Done]]] = SimpleQueue()
        self.heard = 0

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
            with contextlib.suppress(StoreError, BrokenExecutor):
                self.begin()

    def begin(self) -> None:
        """Raises StoreError if the disk is full, OSError if this process cannot be forked."""
        count = min(self.count, len(self.rest))
        self.workers.begin(count)
        self.begun = True
        for _ in range(count):
            self._send()

    def _send(self) -> None:
        if (task := take(self.rest)) is not None:
            try:
                future = self.workers.submit(task, self.store)
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
        """The tasks finished since the last call; with `wait`, at least one. Raises AuditError if a process was
        killed."""
        while self.busy and (wait or not self.finished.empty()):
            future = self.finished.get()
            self.heard, wait = self.heard + 1, False
            try:
                found = future.result()
            except self.workers.killed:
                raise AuditError(KILLED, do=CONTINUE) from None
            yield from found

    def end(self) -> None:
        self.rest.clear()
        if self.begun:
            self.workers.end(busy=self.busy)
