"""Training on threads that another thread can stop: a Python thread cannot be killed, and a program that exits while
one of them computes is aborted."""

from __future__ import annotations

import threading

_mine = threading.local()


class Stopped(Exception):
    """The result of this thread is no longer needed."""


def obey(order: threading.Event) -> None:
    """From now on, this thread stops at its next step once the event is set."""
    _mine.order = order


def check() -> None:
    """Raises Stopped if the event has been set."""
    if (order := getattr(_mine, "order", None)) is not None and order.is_set():
        raise Stopped
