"""Whether a process in which torch is loaded may be forked, and forks of it."""

from __future__ import annotations

import sys


def can_fork(device: str) -> bool:
    """Whether forks of this process can train and explain models: on Linux, with models on the CPU, and without an
    accelerator, beside which torch refuses to compute gradients in a fork."""
    import torch

    return sys.platform == "linux" and device == "cpu" and torch.cuda.device_count() == 0
