"""What an engine is: a way to train rows that gives the replicas the one visible loop gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from audit.engines.materialised import Stage
from audit.training.experiment import Experiment
from probes.plan import Row


class Refused(Exception):
    """This engine cannot give the replica that the visible loop gives, because of this; the next engine is asked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A trained row: its logits on all views of all samples, the samples themselves first, and the weights and buffers
    of all that its engine could change."""

    row: Row
    logits: Float32[np.ndarray, "views classes"]
    state: Mapping[str, Tensor]


@runtime_checkable
class Engine(Protocol):
    name: ClassVar[str]
    asked: ClassVar[int]
    """Engines are asked in ascending order, the fastest first. The visible loop, which refuses nothing, is 100."""
    workers: ClassVar[Literal["processes", "threads"]]
    """Threads where nearly all time is spent in large products, which hold no lock; else processes."""

    def check(self, experiment: Experiment, row: Row) -> None:
        """Raises Refused. Rows that differ in `keep`, `order` and `targets` alone get the same answer."""
        ...

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        """The rows, in batches that are trained at once. What a batch holds may change its replicas in the last bits,
        so it is a part of their names in the store."""
        ...

    def stage(self, experiment: Experiment, row: Row, folder: Path) -> Stage:
        """What all rows like this one share, computed once; large arrays are written to the folder."""
        ...

    def train(self, stage: Stage, rows: Sequence[Row]) -> Iterator[Outcome]:
        """Train one batch, on one thread."""
        ...
