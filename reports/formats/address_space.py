"""Whether libraries that reserve far more address space than they ever use can do so here: under a limit on it
(`ulimit -v`) they terminate the process instead of raising an error."""

from __future__ import annotations

import mmap
import sys

from probes.errors import AuditError

GIB = 2**30
RESERVED = 68 * GIB
"""Address space in bytes that vl-convert's V8 reserves at once, measured on Linux; it is not backed by memory."""


TRAINING = 15 * GIB // 4
"""Of importing torch and training a small network with two threads, measured on Linux: 3.1 GiB, and some to spare."""


def must_be_drawable() -> None:
    """Raises AuditError if a limit on the address space is too low to draw a chart."""
    _must_be_free(RESERVED, "drawing charts")


def must_be_trainable() -> None:
    """Raises AuditError if a limit on the address space is too low for torch and its threads."""
    _must_be_free(TRAINING, "training")


def _must_be_free(needed: int, what: str) -> None:
    if (limit := address_limit()) is None:
        return
    try:
        mmap.mmap(-1, needed, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    except (OSError, ValueError, MemoryError):
        raise AuditError(
            f"addresses are limited to {limit / GIB:,.1f} GiB (ulimit -v), and {what} reserves "
            f"{needed / GIB:,.0f}, of which it uses a fraction.",
            do="Lift that limit; limit memory itself by a control group (systemd-run -p MemoryMax=…, docker -m).",
        ) from None


def address_limit() -> int | None:
    """Address space limit of this process in bytes; None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
