"""Threads and memory of the running process."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From malloc.h."""


def keep_pages() -> None:
    """Let the C library keep freed memory for the next step's activations: a tenth of a step of a small convolutional
    network was spent on pages that were returned and faulted in again. Does nothing unless the C library is glibc."""
    with contextlib.suppress(AttributeError, OSError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(M_MMAP_THRESHOLD, 32 << 20)
        adjust(M_TRIM_THRESHOLD, 1 << 30)


def return_pages() -> None:
    """Give the system what the C library keeps of freed memory, where much was used and will not be needed again. Does
    nothing unless the C library is glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Runs torch, BLAS and OpenMP on `number` threads, and restores the previous numbers afterwards.

    With one thread, the bits are the same on any machine, and no thread spins while another process needs its core.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(limits=number):
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)
