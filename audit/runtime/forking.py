"""Whether a process in which torch is loaded may be forked, and what its child processes ignore."""

from __future__ import annotations

import signal
import sys


def can_fork(device: str) -> bool:
    """Whether forks of this process can train and explain models: on Linux, with models on the CPU, and without an
    accelerator, beside which torch refuses to compute gradients in a fork."""
    import torch

    return sys.platform == "linux" and device == "cpu" and torch.cuda.device_count() == 0


def leave_to_the_parent() -> None:
    """Ignore the signals that a terminal sends to all its processes, and end at once where the parent ends in order."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
