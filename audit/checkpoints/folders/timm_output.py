"""The output folder of timm's training script: args.yaml and checkpoints."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders.base import Described, read_yaml
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment

ARGUMENTS = "args.yaml"
FILES = ("model_best.pth.tar", "last.pth.tar")
NUMBERED = re.compile(r"checkpoint-(\d+)\.pth\.tar")
OPTIMIZERS = {"sgd": "sgd", "momentum": "sgd", "nesterov": "sgd", "adam": "adam", "adamw": "adamw"}
SCHEDULES = {"cosine": "cosine", "step": "step", "none": "constant"}
UNTOLD = ("mixup", "cutmix", "aa", "reprob", "drop_path", "model_ema", "bce_loss", "clip_grad")
"""Arguments that a recipe has no key for: reported if they are on."""


class TimmOutput:
    order = 40
    suffixes = (".pth.tar",)

    def recognises(self, folder: Path) -> bool:
        """The folder, or one of the checkpoints in it."""
        path = arguments_of(folder)
        return path.is_file() and isinstance(read_yaml(path).get("model"), str)

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        given = read_yaml(arguments_of(folder))
        train, unknown = training_of(given)
        source: dict[str, Any] = {"model": f"timm:{given['model']}"}
        if given.get("num_classes"):
            source["options"] = {"num_classes": int(given["num_classes"])}
        if base is not None or given.get("pretrained"):
            source["weights"] = "pretrained" if base is None else str(base.resolve())
        recipe: dict[str, Any] = {
            "name": folder.resolve().name,
            "source": source,
            "train": train,
            "transfer": {"mode": "parameters", "dropout": "all"},
        }
        if (shown := input_of(given)) or given.get("pretrained"):
            recipe["input"] = shown or {"normalise": "weights"}
        place = given.get("data_dir") or given.get("data")
        if isinstance(place, str) and place and Path(place).is_dir():
            recipe["data"] = {"kind": "folder", "path": str(Path(place).resolve())}
            recipe["split"] = {"parts": True}
        if isinstance(given.get("seed"), int):
            recipe["seed"] = given["seed"]
        read = [
            f"{key}.{name} = {value}"
            for key in ("source", "train", "input")
            for name, value in recipe.get(key, {}).items()
        ]
        file = self.file(folder)
        guessed = folder.is_dir() and file.name not in FILES
        return Described(
            kind="timm",
            folder=folder,
            recipe=recipe,
            read=(*read[:-1], f"{read[-1]} ({ARGUMENTS})", *([] if guessed else [f"weights ({file.name})"])),
            assumed=(f"weights = {file.name}, the last",) if guessed else (),
            unknown=tuple(unknown),
        )

    def file(self, folder: Path) -> Path:
        """The best checkpoint by validation, or else the last. Raises CheckpointError if there is none."""
        if folder.is_file():
            return folder
        for name in FILES:
            if (folder / name).is_file():
                return folder / name
        numbered = {int(found[1]): one for one in folder.iterdir() if (found := NUMBERED.fullmatch(one.name))}
        if not numbered:
            raise CheckpointError(f"holds neither {' nor '.join(FILES)}.", where=str(folder))
        return numbered[max(numbered)]

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        """timm's own checkpoints hold an argparse.Namespace, which runs no code when it is read."""
        from audit.models.weight_files import read_state

        return read_state(self.file(described.folder), allowed=(argparse.Namespace,))


def arguments_of(folder: Path) -> Path:
    return (folder if folder.is_dir() else folder.parent) / ARGUMENTS


def training_of(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """[train] from the script's arguments, and the arguments for which there are no keys."""
    train: dict[str, Any] = {}
    unknown = [f"{name} = {given[name]} ({ARGUMENTS})" for name in UNTOLD if given.get(name)]
    for key, names in (
        ("lr", ("lr",)),
        ("epochs", ("epochs",)),
        ("batch_size", ("batch_size",)),
        ("weight_decay", ("weight_decay",)),
        ("momentum", ("momentum",)),
        ("label_smoothing", ("smoothing",)),
        ("warmup_epochs", ("warmup_epochs",)),
    ):
        value = next((given[name] for name in names if given.get(name) is not None), None)
        if value is not None:
            train[key] = value
    for key, name, known in (("optimizer", "opt", OPTIMIZERS), ("schedule", "sched", SCHEDULES)):
        value = str(given.get(name) or "").lower()
        if value in known:
            train[key] = known[value]
        elif value:
            unknown.append(f"{name} = {value} ({ARGUMENTS})")
    if train.get("schedule") == "step":
        every, epochs = int(given.get("decay_epochs") or 90), int(train.get("epochs", 0))
        train["milestones"] = list(range(every, epochs, every))
        train["gamma"] = float(given.get("decay_rate") or 0.1)
    if train.get("weight_decay"):
        train["decays"] = "weights"  # the script exempts biases and normalisation
    return train, unknown


def input_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """[input] as far as the arguments specify it."""
    size = given.get("img_size") or (given.get("input_size") or [0, 0, 0])[-1]
    found: dict[str, Any] = {name: tuple(given[name]) for name in ("mean", "std") if given.get(name)}
    return found | ({"size": int(size), "channels": 3} if size else {})
