"""When Python's garbage collector looks through the memory of the command."""

from __future__ import annotations

import gc

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
