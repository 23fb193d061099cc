"""Replicas by Lightning's Trainer, from a module and a datamodule as the user has them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, RandomSampler, SequentialSampler, Subset

from audit.trainers.base import Fit
from probes.errors import DataError, TrainerError

SHOWS = ("ProgressBar", "ModelSummary")
"""Ends of the names of callbacks that only draw on the terminal."""


def of_datamodule(
    module: Callable[[], Any], trainer: Callable[[], Any], datamodule: Any
) -> tuple[Callable[[Fit], nn.Module], Callable[[], dict[str, Any]]]:
    """`train` and `data` of a file for --trainer. The members are the datamodule's training set; held out is its test
    set, or its validation set if it has no test set.

    module      makes the LightningModule as it begins; called once per replica
    trainer     makes the lightning.Trainer, with its arguments and callbacks; called once per replica
    datamodule  whose data sets give (inputs, label), the same inputs each time: random augmentation belongs into the
                module

    A replica's loader is the training set's with other rows: its batch size, shuffling, collating and dropping. The
    loaders of validation are used as they are: if their rows are among the audited ones, these choose the checkpoint of
    every replica. A replica logs nowhere and writes no audit record.

    Returns both functions. Raises DataError if there is no held-out set; `train` raises TrainerError for a sampler that
    depends on the rows.
    """
    datamodule.prepare_data()
    datamodule.setup("fit")
    loader = datamodule.train_dataloader()
    seen, unseen = loader.dataset, _held_out(datamodule)
    rows: Dataset[Any] = ConcatDataset([seen, unseen])

    def data() -> dict[str, Any]:
        both = [rows[index] for index in range(len(seen) + len(unseen))]
        return {
            "features": np.stack([np.asarray(one[0]) for one in both]),
            "labels": np.array([int(one[1]) for one in both]),
            "members": np.arange(len(seen)),
        }

    def train(fit: Fit) -> nn.Module:
        kept = Subset(_Relabelled(rows, fit.labels), [int(index) for index in fit.kept])
        with _quietly():
            made, runs = module(), trainer()
            _for_a_replica(runs, fit)
            runs.fit(made, _alike(loader, kept), *_validation(datamodule))
        network: nn.Module = made.cpu().eval()
        network.trainer = None  # type: ignore[assignment]  # which holds loaders and open files
        return network

    return train, data


class _Relabelled(Dataset[Any]):
    """Rows with the labels of a replica, which the plan may have shuffled."""

    def __init__(self, rows: Dataset[Any], labels: Int[np.ndarray, " samples"]) -> None:
        self.rows, self.labels = rows, labels

    def __getitem__(self, index: int) -> Any:
        inputs, label, *more = self.rows[index]
        wanted = int(self.labels[index])
        return (inputs, torch.tensor(wanted) if isinstance(label, torch.Tensor) else type(label)(wanted), *more)


def _held_out(datamodule: Any) -> Any:
    for stage, name in (("test", "test_dataloader"), ("validate", "val_dataloader")):
        if name in dir(type(datamodule)) and _overridden(datamodule, name):
            datamodule.setup(stage)
            loader = getattr(datamodule, name)()
            return (loader[0] if isinstance(loader, list | tuple) else loader).dataset
    raise DataError(
        "has neither a test nor a validation set.", where=type(datamodule).__name__, do="Hold samples out of training."
    )


def _overridden(datamodule: Any, name: str) -> bool:
    from lightning.pytorch import LightningDataModule

    return getattr(type(datamodule), name) is not getattr(LightningDataModule, name)


def _validation(datamodule: Any) -> list[Any]:
    return [datamodule.val_dataloader()] if _overridden(datamodule, "val_dataloader") else []


def _alike(loader: Any, rows: Dataset[Any]) -> DataLoader[Any]:
    """The loader with other rows. Raises TrainerError if its sampler was made for the rows that it had."""
    if not isinstance(loader.sampler, RandomSampler | SequentialSampler):
        raise TrainerError(
            f"its loader samples with a {type(loader.sampler).__name__}, which was made for all rows.",
            where="of_datamodule",
            do="Write train(fit) yourself, with a sampler for fit.kept.",
        )
    return DataLoader(
        rows,
        batch_size=loader.batch_size,
        shuffle=isinstance(loader.sampler, RandomSampler),
        drop_last=loader.drop_last,
        collate_fn=loader.collate_fn,
    )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what Lightning says of devices and progress, once per replica."""
    logger = logging.getLogger("lightning.pytorch")
    below = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith(logger.name)]
    levels = [(one, one.level) for one in below]
    try:
        for one in below:
            one.setLevel(logging.ERROR)
        yield
    finally:
        for one, level in levels:
            one.setLevel(level)


def _for_a_replica(trainer: Any, fit: Fit) -> None:
    """A folder of its own; no log, no drawing on the terminal, no audit record."""
    trainer.loggers = []
    trainer._default_root_dir = str(fit.folder)
    trainer.callbacks[:] = [
        one
        for one in trainer.callbacks
        if not type(one).__name__.endswith(SHOWS) and not type(one).__module__.startswith("audit.record")
    ]
