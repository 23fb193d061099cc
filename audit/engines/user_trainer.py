"""The engine that calls a user's trainer: one replica at a time, in processes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from audit.engines.base import Outcome, Refused
from audit.engines.full import Loop
from audit.engines.materialised import Materialised, materialise
from audit.runtime.randomness import torch_seed
from audit.trainers.base import Fit
from audit.trainers.guarded_call import seeded, user_code
from audit.trainers.predictions import ask, in_float32, rows_of
from audit.training.experiment import Experiment
from probes.plan import Row

LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Called(Loop):
    name: ClassVar[str] = "trainer"
    asked: ClassVar[int] = 0

    def check(self, experiment: Experiment, row: Row) -> None:
        if experiment.trainer is None:
            raise Refused("the recipe has no trainer to call")

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        return materialise(experiment, folder)

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        for row in rows:
            made, logits = made_of(materialised.experiment, row, materialised.inputs)
            state = made.state_dict() if isinstance(made, nn.Module) else {}
            kept = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
            yield Outcome(row=row, logits=logits, state=kept)


def made_of(experiment: Experiment, row: Row, inputs: Tensor) -> tuple[object, Float[np.ndarray, "samples classes"]]:
    """The model that the trainer fits to the row, and its logits on all samples. Raises TrainerError."""
    trainer = experiment.trainer
    assert trainer is not None
    replica = f"replica {row.name}" if row.design != "audited" else "the members"
    with tempfile.TemporaryDirectory(prefix="transfer-audit-") as folder:
        fit = fit_of(experiment, row, Path(folder))
        with seeded(fit.seed), user_code(trainer.name, replica, trainer.timeout):
            made = in_float32(trainer(fit))
            logits = ask(
                made,
                len(experiment.dataset),
                len(experiment.dataset.classes),
                inputs=inputs,
                features=trainer.features,
                who=f"{trainer.name}, {replica}",
            )
    return made, logits


def fit_of(experiment: Experiment, row: Row, folder: Path) -> Fit:
    """The seed is derived from parts of the replica's key: order and kept samples."""
    assert experiment.trainer is not None
    kept = np.flatnonzero(row.keep)
    mask = hashlib.sha256(np.packbits(row.keep).tobytes()).hexdigest()
    features = experiment.trainer.features
    return Fit(
        kept=kept,
        labels=experiment.targets(row).numpy().copy(),
        seed=torch_seed(experiment.seed, "trainer", row.order, mask) % LARGEST_SEED,
        start=row.start,
        device=experiment.device,
        folder=folder,
        order=row.order,
        features=None if features is None else rows_of(features, kept),
    )
