"""Whether a process in which torch is loaded may be forked, and what its child processes leave to it."""

from __future__ import annotations

import ctypes
import gc
import signal
import sys
from pathlib import Path


def can_fork(device: str) -> bool:
    """Whether forks of this process can train and explain models: on Linux, with models on the CPU, without an
    accelerator, beside which torch refuses to compute gradients in a fork, and without MKL's own lists of free
    memory."""
    import torch

    if sys.platform != "linux" or device != "cpu" or torch.cuda.device_count():
        return False
    return _allocates_without_locks()


def _allocates_without_locks() -> bool:
    """Whether MKL keeps no lists of free memory, whose locks a fork may inherit locked (`audit/__init__.py` sees to it,
    unless torch was imported before). True where torch was built without MKL."""
    import torch

    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        disabled = library.mkl_serv_get_fast_mm_status
    except (OSError, AttributeError):
        return True
    return bool(disabled())


def leave_to_the_parent() -> None:
    """Ignore the signals that a terminal sends to all its processes, end at once where the parent ends in order, and
    keep the garbage collector off what was inherited: it would copy every page on which it counts, 120 MB of the
    libraries alone."""
    gc.freeze()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
