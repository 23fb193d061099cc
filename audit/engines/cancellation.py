"""Training on threads that another thread may end: no thread of Python's can be ended from without, and a program that
leaves while one of them computes is aborted."""

from __future__ import annotations

import threading

_mine = threading.local()


class Stopped(Exception):
    """Nobody waits for this thread's result any more."""


def obey(order: threading.Event) -> None:
    """From now on this thread stops at its next step once the order is given."""
    _mine.order = order


def check() -> None:
    """Raises Stopped where the order has been given."""
    if (order := getattr(_mine, "order", None)) is not None and order.is_set():
        raise Stopped
