"""Opens the model under audit: a checkpoint, weights from elsewhere with their recipe, or a folder by its reader."""

from __future__ import annotations

import argparse
import dataclasses
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
from audit.checkpoints.foreign_weights import adopt, adopted, beside
from audit.config.recipe import Recipe, parse
from audit.config.run_settings import Settings
from audit.models.weight_files import read_state
from audit.training.prepare import prepare
from probes.errors import CheckpointError, InputError
from probes.message import Message


def open_checkpoint(path: Path, settings: Settings) -> Audited:
    """Load checkpoint and data, and check that they belong together; with a recipe, also weights from elsewhere; a
    folder is opened by its reader."""
    if (found := reader_of(path)) is not None and is_of_classifiers(found[1]):
        return open_folder(path, found[1], settings)
    must_be_known(path)
    if settings.recipe is not None:
        folder = settings.data_root or settings.recipe.folder
        recipe, key = settings.recipe.recipe, settings.weights
        checkpoint, experiment = adopt(path, recipe, folder, trust_code=settings.trust_code, key=key)
        return Audited(checkpoint=checkpoint, experiment=experiment)
    if settings.weights is not None:
        raise InputError(
            "is for weights from elsewhere, with their recipe.", where="--weights", do="Omit it, or give --recipe."
        )
    checkpoint = checkpoints.load(path)
    dataset = checkpoint.recipe.data.load(settings.data_root or checkpoint.folder, trust_code=settings.trust_code)
    experiment = checkpoint.experiment(dataset, trust_code=settings.trust_code)
    return Audited(checkpoint=checkpoint, experiment=experiment)


def open_folder(path: Path, reader: ClassifierReader, settings: Settings) -> Audited:
    """A model as its library saved it: what the folder says, overridden by the recipe if there is one.

    Raises CheckpointError if neither says what it was trained on.
    """
    described = described_by(reader, path, settings.base, trust_code=settings.trust_code)
    beside_it = path if path.is_dir() else path.parent
    folder = settings.data_root or (settings.recipe.folder if settings.recipe else beside_it)
    recipe = settings.recipe.recipe if settings.recipe else parse(completed(described, {}, folder), str(path))
    recipe = _in_order(recipe, described, folder, trust_code=settings.trust_code)
    experiment = prepare(recipe, folder, trust_code=settings.trust_code)
    file, key = file_of(reader, path), settings.weights
    weights = reader.weights(described, experiment) if key is None else _under(key, file, path)
    checkpoint = adopted(weights, experiment, folder, path)
    told, limits = described.said(), list(checkpoint.limits)
    if key is not None:
        limits.append(Message("audit.weights-chosen", {"name": key}))
    elif file is not None:
        limits += beside(file, weights, checkpoint.state)
    checkpoint = dataclasses.replace(checkpoint, limits=(*told, *limits))
    return Audited(checkpoint=checkpoint, experiment=experiment, told=told, expected=described.expected)


def _under(key: str, file: Path | None, path: Path) -> Mapping[str, Tensor]:
    """The set of weights that the user names. Raises CheckpointError."""
    if file is None:
        raise CheckpointError(
            f"--weights {key} names a set of weights within one file, and this model has none.",
            where=str(path),
            do="Omit it.",
        )
    return read_state(file, allowed=(argparse.Namespace,), key=key)


def _in_order(recipe: Recipe, described: Described, folder: Path, *, trust_code: bool) -> Recipe:
    """The data with its classes in the order of the model's outputs, if the model names the same classes."""
    if not described.classes or recipe.data.classes or recipe.data.kind in described.data:
        return recipe
    known = recipe.data.load(folder, trust_code=trust_code).classes
    if known == described.classes or set(known) != set(described.classes):
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": described.classes})})
