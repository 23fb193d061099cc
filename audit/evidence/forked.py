"""Observes several models at once: forked processes fill the store, from which this one then reads.

A fork shares its parent's memory, so no model has to be sent. What a fork fails to do is done again by the parent,
which reports the reason.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable, Sequence
from multiprocessing.sharedctypes import Synchronized

import torch

from audit.runtime.forking import leave_to_the_parent

PATIENCE = 20
"""A fork that takes this many times as long as this process took for its longest piece is abandoned."""
WORTH_FORKING = 4
"""The number of models from which further processes pay off."""


def side_by_side(work: Sequence[Callable[[], None]], processes: int) -> None:
    """Do all of `work`, in this process and `processes` − 1 forks, which take from one queue. Each piece stores its
    result where the others find it; one that fails is left undone. Returns when all are done or abandoned."""
    context = multiprocessing.get_context("fork")
    taken = context.Value("l", 0)
    children = []
    with warnings.catch_warnings():
        # Python 3.12 and later warn that other threads are running. Only this thread continues in the fork, and it
        # waits for none.
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


def _in_fork(work: Sequence[Callable[[], None]], taken: Synchronized[int]) -> None:
    """The parent handles Ctrl-C; the fork prints nothing, and closes nothing of the parent's."""
    leave_to_the_parent()
    torch.set_num_threads(1)
    try:
        _take(work, taken)
    finally:
        os._exit(0)


def _take(work: Sequence[Callable[[], None]], taken: Synchronized[int]) -> float:
    """Pieces from the queue until it is empty; the seconds that the longest took."""
    longest = 0.0
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(work):
            return longest
        began = time.monotonic()
        with contextlib.suppress(Exception):  # done again, and reported, by the parent
            work[number]()
        longest = max(longest, time.monotonic() - began)
