"""A folder written by Lightning: hparams.yaml and checkpoints. The recipe has to say which network they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def train_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's [train] from the standard names of hyperparameters.

    >>> train_of({"learning_rate": 0.1, "max_epochs": 3, "hidden": 8})
    {'lr': 0.1, 'epochs': 3}
    """
    train = {key: value for key, names in NAMES.items() if (value := first_of(given, names)) is not None}
    named = str(given.get("optimizer", "")).lower()
    return train | ({"optimizer": named} if named in OPTIMIZERS else {})


class Lightning:
    order = 60

    def recognises(self, folder: Path) -> bool:
        return any(folder.glob("*.ckpt")) or any((folder / "checkpoints").glob("*.ckpt"))

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        given = read_yaml(folder / HYPER) if (folder / HYPER).is_file() else {}
        train = train_of(given)
        source = {} if base is None else {"weights": str(base.resolve())}
        read = tuple(f"train.{key} = {value} ({HYPER})" for key, value in train.items())
        unknown = [f"train.{key}" for key in ("lr", "batch_size", "epochs", "optimizer") if key not in train]
        recipe: dict[str, Any] = {"name": folder.resolve().name, "source": source, "train": train}
        recipe["transfer"] = {"mode": "parameters", "dropout": "all"}
        recipe["input"] = {"mean": [0.0], "std": [1.0]}
        if isinstance(given.get("seed"), int):
            recipe["seed"] = given["seed"]
        return Described(
            kind="lightning",
            folder=folder,
            recipe=recipe,
            read=(*read, f"weights ({self.file(folder).name})"),
            assumed=("input.mean = 0", "input.std = 1"),
            unknown=tuple(unknown),
        )

    def file(self, folder: Path) -> Path:
        """The checkpoint: the only one, or last.ckpt. Raises CheckpointError if the choice is ambiguous."""
        found = sorted([*folder.glob("*.ckpt"), *(folder / "checkpoints").glob("*.ckpt")])
        last = [one for one in found if one.stem == "last"]
        if len(found) != 1 and len(last) != 1:
            raise CheckpointError(
                f"holds {', '.join(one.name for one in found[:5])}.",
                where=str(folder),
                do="Give the file of the audited model itself.",
            )
        return found[0] if len(found) == 1 else last[0]

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        from audit.models.weight_files import read_state

        return read_state(self.file(described.folder))
