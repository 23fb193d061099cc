"""Assigns CUDA devices to workers: each thread or process takes the next one, once."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import torch

_mine = threading.local()


def take_device(folder: Path, device: str) -> None:
    """Make this worker's CUDA device the current one, and its convolutions deterministic. `folder` is shared by the
    workers of a job. Does nothing on other devices."""
    if device != "cuda" or getattr(_mine, "folder", None) == folder:
        return
    torch.cuda.set_device(next_number(folder) % torch.cuda.device_count())
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    _mine.folder = folder


def next_number(folder: Path) -> int:
    """The smallest number that no worker has taken; creating the file takes it."""
    for number in itertools.count():
        try:
            (folder / f"device-{number}").open("x").close()
        except FileExistsError:
            continue
        return number
    raise AssertionError
