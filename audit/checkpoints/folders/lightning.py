"""A folder written by Lightning: hparams.yaml and checkpoints. The recipe has to say which network they belong to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from audit.checkpoints.folders.base import Described, first_of, read_yaml
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

HYPER = "hparams.yaml"
NAMES: Mapping[str, tuple[str, ...]] = {
    "lr": ("lr", "learning_rate"),
    "batch_size": ("batch_size", "train_batch_size"),
    "epochs": ("max_epochs", "epochs", "num_epochs"),
    "weight_decay": ("weight_decay", "wd"),
    "momentum": ("momentum",),
    "label_smoothing": ("label_smoothing",),
}
"""A recipe's keys of [train], and the standard names of hyperparameters."""
OPTIMIZERS = ("sgd", "adam", "adamw")


def train_of(given: Mapping[str, object]) -> dict[str, object]:
    """A recipe's [train] from the standard names of hyperparameters.

    >>> train_of({"learning_rate": 0.1, "max_epochs": 3, "hidden": 8})
    {'lr': 0.1, 'epochs': 3}
    """
    train = {key: value for key, names in NAMES.items() if (value := first_of(given, names)) is not None}
    named = str(given.get("optimizer", "")).lower()
    return train | ({"optimizer": named} if named in OPTIMIZERS else {})


class Lightning:
    order = 60
    suffixes = (".ckpt",)

    def recognises(self, folder: Path) -> bool:
        """A folder of checkpoints, or one checkpoint that states its hyperparameters."""
        if folder.is_file():
            return bool(stated_in(folder))
        return any(folder.glob("*.ckpt")) or any((folder / "checkpoints").glob("*.ckpt"))

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        file, unread = self.file(folder), list[str]()
        plain = folder / HYPER
        given = read_yaml(plain, unread) if plain.is_file() else stated_in(file)
        where = HYPER if plain.is_file() else file.name
        train = train_of(given)
        read = tuple(f"train.{key} = {value} ({where})" for key, value in train.items())
        unknown = [f"train.{key}" for key in ("lr", "batch_size", "epochs", "optimizer") if key not in train]
        unknown += [f"{name} ({where}: a Python object)" for name in unread]
        recipe: dict[str, object] = {"name": folder.resolve().stem, "train": train}
        if base is not None:
            recipe["source"] = {"weights": str(base.resolve())}
        assumed: tuple[str, ...] = ()
        if folder.is_dir():
            recipe["transfer"] = {"mode": "parameters", "dropout": "all"}
            recipe["input"] = {"mean": [0.0], "std": [1.0]}
            assumed = ("input.mean = 0", "input.std = 1", "loss = cross-entropy")
        if isinstance(given.get("seed"), int):
            recipe["seed"] = given["seed"]
        return Described(
            kind="lightning",
            folder=folder,
            recipe=recipe,
            read=(*read, f"weights ({file.name})"),
            assumed=assumed,
            unknown=tuple(unknown),
        )

    def file(self, folder: Path) -> Path:
        """The checkpoint: the only one, or last.ckpt. Raises CheckpointError if the choice is ambiguous."""
        if folder.is_file():
            return folder
        found = sorted([*folder.glob("*.ckpt"), *(folder / "checkpoints").glob("*.ckpt")])
        last = [one for one in found if one.stem == "last"]
        if len(found) != 1 and len(last) != 1:
            raise CheckpointError(
                f"holds {', '.join(one.name for one in found[:5])}.",
                where=str(folder),
                do=f"Give the file of the audited model itself: {found[-1]}.",
            )
        return found[0] if len(found) == 1 else last[0]

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.weight_files import read_state

        return read_state(self.file(described.folder), allowed=(argparse.Namespace,))


def stated_in(file: Path) -> dict[str, object]:
    """The hyperparameters in a checkpoint that Lightning wrote; empty if there are none, or if reading them would run
    code."""
    from audit.models.weight_files import read_untrusted

    try:
        content = read_untrusted(file, allowed=(argparse.Namespace,))
    except CheckpointError:  # the reader of weights reports it
        return {}
    given = content.get("hyper_parameters") if "pytorch-lightning_version" in content else None
    given = vars(given) if isinstance(given, argparse.Namespace) else given
    return {str(name): value for name, value in given.items()} if isinstance(given, Mapping) else {}
