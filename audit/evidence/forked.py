"""Looking into several models at once: forked processes fill the store, from which this one then reads.

A fork sees all that its parent holds, so that no model has to be sent. What a fork could not do is done again by the
parent, which says why.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch

PATIENCE = 20
"""A fork that takes so many times as long as this process took for its longest piece is given up."""
WORTH_FORKING = 4
"""Models from which on further processes pay."""


def can_fork(device: str) -> bool:
    """Where a process may be forked while torch is loaded: on Linux, with models on the processor."""
    return sys.platform == "linux" and device == "cpu"


def side_by_side(work: Sequence[Callable[[], None]], processes: int) -> None:
    """Do all of `work`, in this process and `processes` − 1 forks, which take from one queue. Each piece leaves its
    result where the others find it; one that fails is left undone. Returns when all are done or given up."""
    context = multiprocessing.get_context("fork")
    taken: Any = context.Value("l", 0)
    children = []
    with warnings.catch_warnings():
        # From Python 3.12 on: other threads are running. Only this thread goes on in the fork, and it waits for none.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(processes - 1):
            child = context.Process(target=_in_fork, args=(work, taken), daemon=True)
            child.start()
            children.append(child)
    try:
        longest = _take(work, taken)
        patience = time.monotonic() + PATIENCE * longest + 60
        for child in children:
            child.join(max(0.0, patience - time.monotonic()))
    finally:
        for child in children:
            if child.is_alive():
                child.kill()
                child.join()


def _in_fork(work: Sequence[Callable[[], None]], taken: Any) -> None:
    """Ctrl-C is the parent's to handle; nothing is said here, and nothing of the parent's is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
    try:
        _take(work, taken)
    finally:
        os._exit(0)


def _take(work: Sequence[Callable[[], None]], taken: Any) -> float:
    """Pieces from the queue until it is empty; the seconds that the longest took."""
    longest = 0.0
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(work):
            return longest
        began = time.monotonic()
        with contextlib.suppress(Exception):  # done again, and reported, by the one who asks for it
            work[number]()
        longest = max(longest, time.monotonic() - began)
