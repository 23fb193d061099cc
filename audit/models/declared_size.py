"""Whether a saved configuration describes a network that can be built: tried without memory, before any is taken."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audit.storage.bounded import MIB
from probes.errors import AuditError, CheckpointError, one_line

DEPTH = re.compile(r"(?:layers?|depths?|blocks?|stages)$")
MOST_LAYERS = 2000
"""More than the deepest published networks have; a million takes hours to build."""
FREE, TIMES = 256 * MIB, 16
"""A network may take so many bytes whatever its weights take, and so many times their size: 4-bit weights grow by 8 in
float32, and a new head or embeddings come on top."""
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")


def must_be_possible(make: Callable[[], nn.Module], config: Mapping[str, Any], folder: Path) -> None:
    """Raises CheckpointError if the network is none, or if it would take far more memory than the folder's weights, or
    than there is."""
    for name, value in _depths(config):
        if value > MOST_LAYERS:
            raise CheckpointError(f"{name} = {value:,}; at most {MOST_LAYERS:,} are built.", where=str(folder))
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = make()
        needed = sum(4 * math.prod(value.shape) for value in network.state_dict().values())
    except AuditError:
        raise
    except Exception as error:  # libraries raise many unrelated types for values that do not fit together
        raise CheckpointError(
            f"its configuration describes no network: {one_line(str(error))[:200]}", where=str(folder)
        ) from None
    stored = sum(path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern) if path.is_file())
    most = FREE + TIMES * stored if stored else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > most:
        beside = f"its weights have {stored / MIB:,.1f} MiB" if stored else "this machine has less memory"
        raise CheckpointError(
            f"its configuration describes a network of {needed / MIB:,.0f} MiB, but {beside}; it was not built.",
            where=str(folder),
            do="Copy the configuration and the weights of one model.",
        )


def _depths(config: Mapping[Any, Any]) -> Iterator[tuple[str, int]]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _depths(value)
        elif DEPTH.search(str(name)):
            several = value if isinstance(value, list | tuple) else [value]
            yield from ((str(name), one) for one in several if isinstance(one, int))
