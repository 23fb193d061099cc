"""The model under audit in its experiment, opened from a checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from torch import nn

from audit.checkpoints import checkpoint as checkpoints
from audit.checkpoints.checkpoint import Checkpoint
from audit.checkpoints.folders.base import Described, OpensItself, Reader, must_be_known, reader_of
from audit.checkpoints.folders.completed import completed
from audit.checkpoints.foreign_weights import adopt, adopted, beside
from audit.checkpoints.variant import Variant
from audit.config.recipe import Recipe, parse
from audit.config.run_settings import Settings
from audit.trainers.limited import user_code
from audit.trainers.predictions import ask
from audit.training.experiment import Experiment
from audit.training.loop import predict_views
from audit.training.prepare import prepare
from probes.errors import CheckpointError
from probes.message import Message
from probes.plan import Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """The model under audit in its experiment."""

    checkpoint: Checkpoint
    experiment: Experiment
    retrains: bool = True
    """Off where no recipe is known: then there are no replicas."""
    predictor: Any = None
    """What answers, where a user's trainer made it: a network, an estimator or a function."""
    looked_into: bool = True
    """Off where there are no weights to be had, or no classifier in the network."""
    told: tuple[Message, ...] = ()
    """What was read, assumed and not found where the model lies: said before anything is trained."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Measures that its training recorded, by their names."""

    variants: tuple[Variant, ...] = ()
    """Released beside it, asked about the same samples."""

    @cached_property
    def row(self) -> Row:
        return self.experiment.audited_row()

    def network(self) -> nn.Module:
        """Raises CheckpointError where the weights do not fit the recipe's network."""
        return load_network(self.experiment, self.checkpoint, self.row)

    def logits(self) -> Float32[np.ndarray, "views classes"]:
        """On all samples, then on each query's view of them. Raises NonFiniteError or TrainerError."""
        trainer = self.experiment.trainer
        if trainer is None:
            return predict_views(self.network(), self.experiment)
        dataset = self.experiment.dataset
        with user_code("the given model", "", trainer.timeout):
            return ask(
                self.predictor,
                len(dataset),
                len(dataset.classes),
                inputs=self.experiment.inputs,
                features=trainer.features,
                who="the given model",
            )

    @cached_property
    def head(self) -> str:
        return self.experiment.begin(self.row).head


def load_network(experiment: Experiment, checkpoint: Checkpoint, row: Row) -> nn.Module:
    network = experiment.begin(row).network
    try:
        network.load_state_dict(dict(checkpoint.state), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"its weights do not fit its recipe: {str(error).splitlines()[-1].strip()}") from None
    return network.eval()


def open_checkpoint(path: Path, settings: Settings) -> Audited:
    """Load checkpoint and data, and check that they belong together; with a recipe, weights from elsewhere too; a
    folder by its reader."""
    if (found := reader_of(path)) is not None:
        reader = found[1]
        return reader.opened(path, settings) if isinstance(reader, OpensItself) else open_folder(path, reader, settings)
    must_be_known(path)
    if settings.recipe is not None:
        folder = settings.data_root or settings.recipe.folder
        recipe, key = settings.recipe.recipe, settings.weights
        checkpoint, experiment = adopt(path, recipe, folder, trust_code=settings.trust_code, key=key)
        return Audited(checkpoint=checkpoint, experiment=experiment)
    checkpoint = checkpoints.load(path)
    dataset = checkpoint.recipe.data.load(settings.data_root or checkpoint.folder, trust_code=settings.trust_code)
    experiment = checkpoint.experiment(dataset, trust_code=settings.trust_code)
    return Audited(checkpoint=checkpoint, experiment=experiment)


def open_folder(path: Path, reader: Reader, settings: Settings) -> Audited:
    """A model as its library saved it: what the folder says, and over it the recipe where there is one.

    Raises CheckpointError where neither says what it was trained on.
    """
    described = reader.describe(path, settings.base, trust_code=settings.trust_code)
    folder = settings.data_root or (settings.recipe.folder if settings.recipe else path)
    recipe = settings.recipe.recipe if settings.recipe else parse(completed(described, {}, folder), str(path))
    recipe = _in_order(recipe, described, folder, trust_code=settings.trust_code)
    experiment = prepare(recipe, folder, trust_code=settings.trust_code)
    weights = reader.weights(described, experiment)
    checkpoint = adopted(weights, experiment, folder, path)
    told = described.said()
    file = getattr(reader, "file", None)
    if file is not None:
        checkpoint = dataclasses.replace(
            checkpoint, limits=(*checkpoint.limits, *beside(file(path), weights, checkpoint.state))
        )
    checkpoint = dataclasses.replace(checkpoint, limits=(*told, *checkpoint.limits))
    return Audited(checkpoint=checkpoint, experiment=experiment, told=told, expected=described.expected)


def _in_order(recipe: Recipe, described: Described, folder: Path, *, trust_code: bool) -> Recipe:
    """With the classes in the order of the model's outputs, where it names the data's own."""
    if not described.classes or recipe.data.classes or recipe.data.kind in described.data:
        return recipe
    known = recipe.data.load(folder, trust_code=trust_code).classes
    if known == described.classes or set(known) != set(described.classes):
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": described.classes})})


def reference_of(audited: Audited, settings: Settings) -> Checkpoint | None:
    """The checkpoint to compare with. Raises CheckpointError where its weights do not fit the audited network."""
    if settings.reference is None:
        return None
    other = checkpoints.load(settings.reference)
    try:
        load_network(audited.experiment, other, audited.row)
    except CheckpointError as error:
        what = f"as a reference, {error.what.replace('its recipe', 'the audited network')}"
        raise CheckpointError(what, where=str(settings.reference)) from None
    return other
