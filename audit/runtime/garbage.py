"""When Python's garbage collector looks through the objects of libraries, of which there are millions."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (20_000, 100, 100)
"""Thresholds while libraries are imported: with Python's own, the collector takes a quarter of that time, though nearly
all objects that an import makes stay."""
_usual = gc.get_threshold()


def collect_seldom() -> None:
    """Sets the thresholds to `SELDOM`."""
    gc.set_threshold(*SELDOM)


def collect_as_usual() -> None:
    """Undoes `collect_seldom`; nothing where it was not called.

    What exists by now is no longer looked through: the libraries stay to the end, and forks would copy the pages on
    which the collector writes.
    """
    if gc.get_threshold() == SELDOM:
        gc.freeze()
        gc.set_threshold(*_usual)


@contextmanager
def older_left_alone() -> Iterator[None]:
    """A context in which the collector looks only through what was made in it, for a program that calls the library.
    Does nothing in the command, or where the program itself keeps objects from the collector.

    >>> with older_left_alone():
    ...     gc.get_freeze_count() > 0
    True
    """
    if gc.get_threshold() == SELDOM or gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
