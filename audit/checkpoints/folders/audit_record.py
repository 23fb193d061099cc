"""A folder in which a training wrote an audit record: what was trained, on what, and how."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoints.folders.base import FOLDERS, ClassifierReader, Described, file_of, is_of_classifiers
from audit.checkpoints.folders.lightning import train_of
from audit.checkpoints.folders.training_arguments import Arguments, of_mapping
from audit.data.record import NAME, Record
from audit.record.recording import base_of
from audit.storage.bounded import exists
from audit.storage.folders import INDEXES, weight_files
from audit.storage.hub_cache import local_base
from probes.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from audit.training.experiment import Experiment


class AuditRecord:
    order = 0

    def recognises(self, folder: Path) -> bool:
        return (folder / NAME).is_file()

    def describe(self, folder: Path, base: Path | None, *, trust_code: bool) -> Described:
        """What the record says takes precedence over what the folder's own kind says."""
        record = Record.read(folder / NAME)
        for name, digest in record.code.items():  # before any of it can run
            _must_be(folder / name, digest)
        began = base or _base(record, folder)
        if began is None and record.base.name:
            raise CheckpointError(
                f"{NAME} says that the training started from {record.base.name}, which is not there.",
                where=str(folder),
                do="Give --base: its folder or file, or its name on the Hub if it is in the cache.",
            )
        if began is not None and record.base.digest:
            _must_be_the_base(began, record)
        own = beneath(folder)
        described = (
            own.describe(folder, began, trust_code=trust_code) if own else Described(kind="", folder=folder, recipe={})
        )
        recipe = {**described.recipe, "split": {"file": str((folder / NAME).resolve())}}
        arguments = _arguments(record)
        stated = dict(record.recipe)
        if arguments.train:
            recipe["train"] = {**recipe.get("train", {}), **arguments.train}
        for key, value in stated.items():
            recipe[key] = {**recipe.get(key, {}), **value} if isinstance(value, Mapping) else value
        if record.data is not None:
            recipe["data"] = {**record.data, **_here(record.data, folder)}
        if record.seed is not None:
            recipe["seed"] = record.seed
        read = (f"{record.count('trained')} rows trained on, {record.count('evaluated')} evaluated on ({NAME})",)
        return dataclasses.replace(
            described,
            kind="audit-record",
            recipe=recipe,
            read=(*read, *described.read[:1], *_stated(record, arguments)),
            assumed=(
                *arguments.assumed,
                *(one for one in described.assumed if not record.arguments or one.startswith("loss")),
            ),
            unknown=(
                *arguments.unknown,
                *map(str, record.arguments.get("left_out") or ()),
                *_source_of(described, recipe),
            ),
            unread=tuple(key for key in described.unread if key not in {**arguments.train, **stated.get("train", {})}),
            expected=record.measures,
            knows_rows=True,
        )

    def file(self, folder: Path) -> Path | None:
        """As the reader of the model itself. Raises CheckpointError if the weights are not those that the record was
        written for."""
        record = Record.read(folder / NAME)
        for name, digest in record.weights.items():
            _must_be(folder / name, digest)
        own = beneath(folder)
        return _plain(folder) if own is None else file_of(own, folder)

    def weights(self, described: Described, experiment: Experiment) -> Mapping[str, Tensor]:
        """Raises CheckpointError if there is no model, or it is not that of the record."""
        file, own = self.file(described.folder), beneath(described.folder)
        if own is not None:
            return own.weights(described, experiment)
        from audit.models.weight_files import read_state

        assert file is not None
        return read_state(file)


def _plain(folder: Path) -> Path:
    """The file of weights that a training loop saved, or the index of several. Raises CheckpointError if it is not the
    only one."""
    indexes = sorted(one for pattern in INDEXES for one in folder.glob(pattern))
    found = indexes or weight_files(folder)
    if len(found) != 1:
        held = f"holds {', '.join(one.name for one in found[:5])}" if found else "holds no weights"
        raise CheckpointError(
            f"{held}: its {NAME} needs one file of weights beside it.",
            where=str(folder),
            do="Keep the audited model's only, as .pt, .pth or .safetensors.",
        )
    return found[0]


def _arguments(record: Record) -> Arguments:
    """From transformers' Trainer, or from hyperparameters with standard names."""
    if "per_device_train_batch_size" in record.arguments:
        return of_mapping(record.arguments, NAME, samples=record.count("trained"))
    train = train_of(record.arguments)
    return Arguments(train=train, read=tuple(f"train.{key} = {value} ({NAME})" for key, value in train.items()))


def _stated(record: Record, arguments: Arguments) -> list[str]:
    """The values that the record states of the training and the source."""
    sections = {key: value for key, value in record.recipe.items() if isinstance(value, Mapping)}
    lines = {f"{key}.{name}": value for key, section in sections.items() for name, value in section.items()}
    others = [one for one in arguments.read if one.partition(" = ")[0] not in lines]
    return [*others, *(f"{name} = {value} ({NAME})" for name, value in lines.items())]


def _source_of(described: Described, recipe: Mapping[str, Any]) -> tuple[str, ...]:
    """What remains unknown of where the training started."""
    known = recipe.get("source", {})
    return tuple(one for one in described.unknown if one.startswith("source") and not (known.get("weights")))


def beneath(folder: Path) -> ClassifierReader | None:
    """The reader of the model itself."""
    readers = (one for one in sorted(FOLDERS.all().values(), key=lambda one: one.order) if is_of_classifiers(one))
    return next((one for one in readers if not isinstance(one, AuditRecord) and one.recognises(folder)), None)


def _base(record: Record, folder: Path) -> Path | None:
    place = folder / record.base.name
    if not record.base.name or exists(place):
        return place if record.base.name else None
    return local_base(record.base.name, record.base.revision)


def _here(data: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Paths in the record are relative to its folder."""
    local = ("path", "tokenizer", "labels")
    return {key: str((folder / value).resolve()) for key, value in data.items() if key in local and value}


def _must_be(path: Path, digest: str) -> None:
    from audit.models.weight_files import digest_file

    if path.is_file() and digest_file(path) != digest:
        raise CheckpointError(
            f"is not the file that {NAME} was written for.",
            where=str(path),
            do=f"Train again, or remove the {NAME} that belongs to other weights.",
        )


def _must_be_the_base(base: Path, record: Record) -> None:
    if base_of(base, "", base).digest != record.base.digest:
        raise CheckpointError(
            f"is not the base that {NAME} was written for.",
            where=str(base),
            do=f"Give the weights that the training started from{f', {record.base.name}' if record.base.name else ''}.",
        )
