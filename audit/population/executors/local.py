"""Runs tasks here, on threads or in processes. Each task runs on one thread, so the choice does not change a bit."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from audit.engines.cancellation import obey
from audit.population.executors.processes import Processes, take
from audit.population.executors.workers import run_in
from audit.population.tasks import Done, Job, run_task
from audit.runtime.devices import workers_for
from audit.runtime.threads import keep_pages
from audit.storage.store import Store

WORTH_PROCESSES = 8.0
"""Seconds of remaining work above which starting processes pays off that import torch."""


def execute(job: Job, store: Store, workers: int) -> Iterator[Done]:
    """All tasks, in the order in which they finish, each stored before it is reported."""
    workers = min(workers or workers_for(job.materialised.experiment.device), len(job.tasks))
    if job.tasks and run_in(job.engine, job.materialised.experiment) == "threads":
        yield from _on_threads(job, store, workers)
        return
    yield from _in_processes(job, store, workers)


def _on_threads(job: Job, store: Store, workers: int) -> Iterator[Done]:
    """Twice as many threads as cores: while one waits for the disk, another trains."""
    keep_pages()
    processors, order = threading.BoundedSemaphore(workers), threading.Event()
    pool = ThreadPoolExecutor(2 * workers, initializer=obey, initargs=(order,))
    try:
        # Nothing but the loop holds the futures, so that the answers they carry can be released.
        for future in as_completed(
            pool.submit(run_task, job.engine, job.materialised, task, store, job.folder, processors)
            for task in job.tasks
        ):
            yield from future.result()
    finally:
        order.set()
        pool.shutdown(cancel_futures=True)


def _in_processes(job: Job, store: Store, workers: int) -> Iterator[Done]:
    """Runs tasks here and, once it is worthwhile, in `workers` − 1 further processes that take from the same queue."""
    keep_pages()
    began, done, rest = time.monotonic(), 0, deque(job.tasks)
    others = Processes(job, store, rest, workers - 1)
    try:
        if others.workers.immediate and workers > 1:
            with contextlib.suppress(OSError):  # no room for another process: this one runs all tasks
                others.begin()
        while True:
            if (task := take(rest)) is not None:
                with contextlib.nullcontext() if others.begun else others.soon(after=WORTH_PROCESSES / 2):
                    mine = run_task(job.engine, job.materialised, task, store, job.folder)
                yield from mine
                done += 1
                left = (time.monotonic() - began) / done * len(rest)
                if not others.begun and workers > 1 and len(rest) > 1 and left > WORTH_PROCESSES:
                    others.begin()
            elif not others.busy:
                return
            yield from others.done(wait=task is None)
    finally:
        others.end()
