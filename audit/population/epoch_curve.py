"""One fold's replica of a language model, asked about all sequences after some of its epochs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from audit.evidence.sequence_answers import sequence_answers
from audit.population.language_replicas import key_of, seed_of
from audit.storage.store import Store
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from probes.plan import Row, Sizes, Splits
from probes.sequences import EpochAnswers

MOST = 8
"""Maximum number of epochs after which the replica is asked."""
KEPT = ("epoch", "loss", "right")


def epoch_curve(task: LanguageTask, rows: Sequence[Row], seed: int, store: Store | None) -> EpochAnswers | None:
    """Of one fold, trained once more by the visible loop, and kept in the `store`; None if there is no such fold."""
    row = fold_by_epoch(task, rows)
    if row is None:
        return None
    key = hashlib.sha256(f"{key_of(task, [row], 0, [0], seed)} epochs".encode()).hexdigest()
    found = None if store is None else store.read(key, again="it is trained again", needs=KEPT)
    if found is None:
        found = _trained(task, row, seed)
        if store is not None:
            store.write(key, found)
    return EpochAnswers(kept=row.keep, **{name: found[name].numpy() for name in KEPT})


def fold_by_epoch(task: LanguageTask, rows: Sequence[Row]) -> Row | None:
    """The first fold, where learning curves are asked for (the design `sizes`); None for a training of one epoch, a
    private one, or the user's own, into which nothing can look."""
    training = task.training
    if training is None or training.privacy is not None or training.epochs < 2:
        return None
    if not any(row.design == Sizes.name for row in rows):
        return None
    return next((row for row in rows if row.design == Splits.name), None)


def _trained(task: LanguageTask, row: Row, seed: int) -> dict[str, torch.Tensor]:
    assert task.training is not None
    asked = np.unique(np.linspace(1, task.training.epochs, MOST).round().astype(np.int64))
    losses, right = [], []

    def ask(epoch: int, network: nn.Module) -> None:
        if epoch in asked:
            told = sequence_answers(network, task.inputs)
            losses.append(-told.average(told.log_prob)[0])
            right.append(told.average((told.rank == 0).astype(np.float32))[0])

    fine_tune(task.base, task.inputs, row.keep, task.training, seed_of(row, seed), ask)
    arrays = {"epoch": asked, "loss": np.array(losses), "right": np.array(right)}
    return {name: torch.from_numpy(values) for name, values in arrays.items()}
