"""Checks of a user's trainer that no single replica can show: that it trains, and that it is repeatable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from audit.population.schedule import schedule
from audit.population.tasks import run_task
from audit.storage.scratch import scratch
from audit.storage.store import Replica, Store
from audit.training.experiment import Experiment
from probes.answers import Answers
from probes.errors import TrainerError
from probes.message import Message, Text
from probes.plan import Row


def trainable(experiment: Experiment, rows: Sequence[Row]) -> tuple[list[Row], tuple[Text, ...]]:
    """The rows that the trainer can train as intended, and what is not known without the others."""
    trainer = experiment.trainer
    if trainer is None:
        return list(rows), ()
    left = [row for row in rows if trainer.trains(row)]
    lost = [row for row in rows if not trainer.trains(row)]
    features = [row.transfer == "features" for row in lost]
    said = {"trainer": trainer.name}
    limits = [Message("audit.trainer-no-scratch", said)] if not all(features) else []
    return left, (*limits, *([Message("audit.trainer-no-linear-probe", said)] if any(features) else []))


class Untrained:
    """Detects replicas of different samples with bit-identical answers: then the samples had no influence."""

    def __init__(self, experiment: Experiment, keeps: Mapping[str, Row]) -> None:
        self.experiment, self.keeps = experiment, keeps
        self.seen: dict[bytes, Row] = {}

    def hear(self, key: str, answers: Answers) -> None:
        """Raises TrainerError."""
        trainer, row = self.experiment.trainer, self.keeps.get(key)
        if trainer is None or row is None:
            return
        told = np.concatenate([answers.log_prob.ravel(), answers.confidence.ravel()]).tobytes()
        other = self.seen.setdefault(hashlib.sha256(told).digest(), row)
        if not np.array_equal(other.keep, row.keep):
            raise TrainerError(
                f"replicas {other.name} and {row.name} were trained on different samples but give bit-identical "
                f"answers: "
                "your code trains on nothing, or not on fit.kept.",
                where=trainer.name,
                do="Train on the samples at fit.kept, and return that model.",
            )


def nondeterminism(experiment: Experiment, row: Row, known: Answers, store: Store) -> Text | None:
    """Trains the row once more: None if it answers the same, else by how much it does not. Kept in the store."""
    trainer = experiment.trainer
    assert trainer is not None
    batch = schedule(experiment, [row])[0]
    again = hashlib.sha256(f"{batch.task.keys[0]} again".encode()).hexdigest()
    replica: Replica | None = store.get(again)
    if replica is None:
        task = type(batch.task)(rows=(row,), keys=(again,), looked_into=frozenset())
        with scratch(store.folder) as folder:
            materialised = batch.choice.engine.materialise(experiment, row, folder)
            replica = run_task(batch.choice.engine, materialised, task, store, folder)[0][1]
    off = float(np.abs(replica.answers.margin - known.margin).max())
    return Message("audit.trainer-differs", {"trainer": trainer.name, "most": off}) if off else None
