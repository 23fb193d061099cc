"""The engines that run the visible loop unchanged: one replica at a time, in processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch

from audit.engines.base import Outcome
from audit.engines.materialised import Materialised, materialise
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict
from probes.plan import Row


class Loop:
    """Base of the engines whose `train` is the visible loop."""

    workers: ClassVar[Literal["processes", "threads"]] = "processes"

    def together(self, experiment: Experiment, rows: Sequence[Row]) -> list[tuple[Row, ...]]:
        return [(row,) for row in rows]

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        for row in rows:
            trained = fine_tune(materialised.experiment, row, material=materialised)
            # One view at a time: minibatches that straddle two views would change the last bits.
            views = torch.split(materialised.inputs, len(materialised.experiment.dataset))
            logits = np.concatenate([predict(trained.network, view) for view in views])
            yield Outcome(row=row, logits=logits, state=dict(trained.network.state_dict()))


@dataclass(frozen=True)
class Full(Loop):
    """The visible loop on the whole network: it accepts every row."""

    name: ClassVar[str] = "full"
    asked: ClassVar[int] = 100

    def check(self, experiment: Experiment, row: Row) -> None:
        pass

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        return materialise(experiment, folder)
