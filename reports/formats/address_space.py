"""Whether charts can be drawn here: the drawing library reserves far more address space than it ever uses, and under a
limit on it (`ulimit -v`) it terminates the process instead of raising an error."""

from __future__ import annotations

import mmap
import sys

from probes.errors import AuditError

GIB = 2**30
RESERVED = 68 * GIB
"""Address space in bytes that vl-convert's V8 reserves at once, measured on Linux; it is not backed by memory."""


def must_be_drawable() -> None:
    """Raises AuditError if a limit on the address space is too low to draw a chart."""
    if (limit := address_limit()) is None:
        return
    try:
        mmap.mmap(-1, RESERVED, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=0).close()
    except (OSError, ValueError, MemoryError):
        raise AuditError(
            f"addresses are limited to {limit / GIB:,.1f} GiB (ulimit -v), and drawing charts reserves "
            f"{RESERVED / GIB:,.0f}, of which it uses a fraction.",
            do="Lift that limit; limit memory itself by a control group (systemd-run -p MemoryMax=…, docker -m).",
        ) from None


def address_limit() -> int | None:
    """Address space limit of this process in bytes; None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
