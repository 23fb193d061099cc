"""Opens the model under audit: a checkpoint, weights from elsewhere with their recipe, or a folder by its reader."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from audit.checkpoints import checkpoint as checkpoints
from audit.checkpoints.audited_model import Audited
from audit.checkpoints.folders.base import (
    ClassifierReader,
    Described,
    described_by,
    file_of,
    is_of_classifiers,
    must_be_known,
    reader_of,
)
from audit.checkpoints.folders.completed import completed
from audit.checkpoints.folders.training_arguments import ARGUMENTS
from audit.checkpoints.foreign_weights import adopt, adopted, beside
from audit.config.recipe import Recipe, parse
from audit.config.run_settings import Settings
from audit.data import moved
from audit.models.weight_files import read_state
from audit.storage.bounded import exists
from audit.training.prepare import prepare
from probes.errors import CheckpointError, DataError, InputError
from probes.message import Message


def open_checkpoint(path: Path, settings: Settings) -> Audited:
    """Load checkpoint and data, and check that they belong together; with a recipe, also weights from elsewhere; a
    folder is opened by its reader."""
    if (found := reader_of(path)) is not None and is_of_classifiers(found[1]):
        return open_folder(path, found[1], settings)
    must_be_known(path)
    if settings.recipe is not None:
        given = settings.recipe
        checkpoint, experiment = adopt(
            path,
            given.recipe,
            given.folder,
            trust_code=settings.trust_code,
            key=settings.weights,
            data_root=settings.data_root,
        )
        return Audited(checkpoint=checkpoint, experiment=experiment, given="weights")
    if settings.weights is not None:
        raise InputError(
            "is for weights from elsewhere, with their recipe.", where="--weights", do="Omit it, or give --recipe."
        )
    try:
        checkpoint = checkpoints.load(path)
    except CheckpointError:
        _must_not_be_a_part(path)
        raise
    _must_be_there(checkpoint.recipe, checkpoint.folder, path, settings.data_root)
    dataset = moved.load(checkpoint.recipe.data, checkpoint.folder, settings.data_root, trust_code=settings.trust_code)
    experiment = checkpoint.experiment(dataset, trust_code=settings.trust_code)
    return Audited(checkpoint=checkpoint, experiment=experiment)


def open_folder(path: Path, reader: ClassifierReader, settings: Settings) -> Audited:
    """A model as its library saved it: what the folder says, overridden by the recipe if there is one.

    Raises CheckpointError if neither says what it was trained on.
    """
    described = described_by(reader, path, settings.base, trust_code=settings.trust_code)
    beside_it = path if path.is_dir() else path.parent
    folder = settings.recipe.folder if settings.recipe else beside_it
    data_root = settings.data_root
    if settings.recipe:
        recipe = settings.recipe.recipe
    else:
        recipe = parse(completed(described, {}, folder), str(path))
        if data_root is None and described.knows_rows and moved.is_below(recipe.data, folder):
            data_root = folder
        _must_be_there(recipe, folder, path, data_root)
    recipe = _in_order(recipe, described, folder, data_root, trust_code=settings.trust_code)
    experiment = prepare(recipe, folder, trust_code=settings.trust_code, data_root=data_root)
    file, key = file_of(reader, path), settings.weights
    weights = reader.weights(described, experiment) if key is None else _under(key, file, path)
    checkpoint = adopted(weights, experiment, folder, path)
    told, limits = (*described.said(), *_unread(described, settings)), list(checkpoint.limits)
    if key is not None:
        limits.append(Message("audit.weights-chosen", {"name": key}))
    elif file is not None:
        limits += beside(file, weights, checkpoint.state)
    checkpoint = dataclasses.replace(checkpoint, limits=(*told, *limits))
    return Audited(
        checkpoint=checkpoint,
        experiment=experiment,
        given="folder" if settings.recipe else "record",
        told=told,
        expected=described.expected,
    )


def _unread(described: Described, settings: Settings) -> tuple[Message, ...]:
    """Which keys of [train] are assumed because neither plain text nor the user's recipe gives them."""
    given: frozenset[str] = frozenset()
    if (file := settings.recipe) is not None:
        given = frozenset(file.recipe.train.model_fields_set) if file.trains is None else file.trains
    keys = tuple(f"train.{key}" for key in described.unread if key not in given)
    return (Message("audit.training-unread", {"file": ARGUMENTS, "keys": keys}),) if keys else ()


def _under(key: str, file: Path | None, path: Path) -> Mapping[str, Tensor]:
    """The set of weights that the user names. Raises CheckpointError."""
    if file is None:
        raise CheckpointError(
            f"--weights {key} names a set of weights within one file, and this model has none.",
            where=str(path),
            do="Omit it.",
        )
    return read_state(file, allowed=(argparse.Namespace,), key=key)


def _must_not_be_a_part(path: Path) -> None:
    """Raises CheckpointError for the weights of a folder that has a reader, or that lacks what its reader needs."""
    if path.is_file() and reader_of(path.parent) is not None:
        raise CheckpointError(
            "is a part of a model in a folder.", where=str(path), do=f"Give the folder: --model {path.parent}."
        )
    if path.name.startswith("adapter_model."):
        raise CheckpointError(
            "is an adapter without its adapter_config.json.", where=str(path), do="Copy the whole folder."
        )


def _must_be_there(recipe: Recipe, folder: Path, path: Path, data_root: Path | None) -> None:
    """Raises DataError if data that the model itself names is not there, and nobody says where it is."""
    named = moved.place_of(recipe.data)
    if data_root is None and named is not None and named[0] != "name" and not exists(folder / named[1]):
        place = os.path.normpath(folder.resolve() / named[1])
        raise DataError(f"names its data as {place}, which is not there.", where=str(path), do=moved.WHERE_NOW)


def _in_order(
    recipe: Recipe, described: Described, folder: Path, data_root: Path | None, *, trust_code: bool
) -> Recipe:
    """The data with its classes in the order of the model's outputs, if the model names the same classes."""
    if not described.classes or recipe.data.classes or recipe.data.kind in described.data:
        return recipe
    known = moved.load(recipe.data, folder, data_root, trust_code=trust_code).classes
    if known == described.classes or set(known) != set(described.classes):
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": described.classes})})
