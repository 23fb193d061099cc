"""The recipe's own training as a trainer: the visible loop, which engines speed up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from audit.storage.code_digest import digest_code
from audit.trainers.base import Fit
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune
from probes.plan import Row


@dataclass(frozen=True, eq=False)
class RecipeTrainer:
    """Fine-tunes as the experiment's recipe says; the replica is bit-identical to that of the full engine."""

    experiment: Experiment
    timeout: float | None = None

    @property
    def name(self) -> str:
        return self.experiment.recipe.name

    @property
    def digest(self) -> str:
        return digest_code(fine_tune.__module__) + self.experiment.source.digest

    @property
    def features(self) -> None:
        return None

    def trains(self, row: Row) -> bool:
        return row.transfer == "recipe"

    def __call__(self, fit: Fit) -> nn.Module:
        keep = np.zeros(len(self.experiment.dataset), dtype=bool)
        keep[fit.kept] = True
        row = Row(design="trainer", repeat=0, fold=0, order=fit.order, keep=keep, start=fit.start, targets=fit.labels)
        return fine_tune(self.experiment, row).network
