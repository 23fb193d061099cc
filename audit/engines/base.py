"""The interface of engines: ways to train rows that give the replicas of the visible loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from audit.engines.materialised import Materialised
from audit.training.experiment import Experiment
from probes.plan import Row


class Refused(Exception):
    """This engine cannot give the replica of the visible loop, for this reason; the next engine is tried."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A trained row.

    row     that was trained
    logits  on all views of all samples, the samples themselves first
    state   weights and buffers of all that the engine could change
    """

    row: Row
    logits: Float32[np.ndarray, "views classes"]
    state: Mapping[str, Tensor]


@runtime_checkable
class Engine(Protocol):
    name: ClassVar[str]
    asked: ClassVar[int]
    """Engines are tried in ascending order, the fastest first. The visible loop, which refuses nothing, is 100."""
    workers: ClassVar[Literal["processes", "threads"]]
    """Threads if most time is spent in large products, which release the GIL: where forks are not possible, they are
    faster than processes that import torch first."""

    def check(self, experiment: Experiment, row: Row) -> None:
        """Raises Refused. The decision is the same for rows that differ only in `keep`, `order` and `targets`."""
        ...

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        """The rows, in batches that are trained at once. The rows of a batch may affect each other's last bits, so they
        are part of the replicas' keys in the store."""
        ...

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        """What all rows of this kind share, computed once; large arrays are written to the folder."""
        ...

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        """Train one batch, on one thread."""
        ...
