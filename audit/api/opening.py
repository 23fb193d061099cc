"""The model in its experiment, in whichever of the ways it was given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from audit.api.arguments import Data, GivenRecipe, GivenTrainer, Model, Samples, checkpoint_of, path_of, refuse
from audit.checkpoints.audited_model import Audited
from audit.checkpoints.in_memory import adopt_network, dataset_of, recipe_of
from audit.checkpoints.open_model import open_checkpoint
from audit.checkpoints.user_trained import adopt_trained, open_trained, trainer_of
from audit.config.recipe import RecipeFile
from audit.config.run_settings import Settings
from audit.data.handed_over import handed, pool_of
from audit.trainers.predictions import is_estimator
from probes.errors import InputError


def open_model(
    settings: Settings,
    model: Model | None,
    data: Data | None = None,
    members: Samples | None = None,
    held_out: Samples | None = None,
    trainer: GivenTrainer | None = None,
    recipe: GivenRecipe | None = None,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    classes: tuple[str, ...] | list[str] | None = None,
) -> Audited:
    """The model in its experiment, in whichever of the ways it was given."""
    if settings.trainer is not None and data is None:
        if not isinstance(model, str | Path | None):
            raise InputError(
                f"the model is a {type(model).__name__}, and the trainer's file reads the data.",
                where="audit.run",
                do="Give the model's path, or data= as well.",
            )
        refuse(members=members, held_out=held_out, source=source, classes=classes, recipe=recipe)
        return open_trained(path_of(model), settings)
    if trainer is not None or is_estimator(model):
        if recipe is not None:
            raise InputError("both a trainer and a recipe were given.", where="audit.run", do="Give one of them.")
        return _with_trainer(model, data, members, held_out, trainer, source, classes, settings)
    if isinstance(model, nn.Module):
        return _network_given(model, data, members, held_out, recipe, source, classes, settings)
    if not isinstance(model, str | Path):
        raise InputError(
            f"the model is a {type(model).__name__}.",
            where="audit.run",
            do="Give a checkpoint's path, a torch.nn.Module, an estimator, or a function with its trainer=.",
        )
    refuse(data=data, members=members, held_out=held_out, source=source, classes=classes)
    return open_checkpoint(checkpoint_of(model), settings)


def _with_trainer(
    model: Model | None,
    data: Data | None,
    members: Samples | None,
    held_out: Samples | None,
    trainer: GivenTrainer | None,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    """An estimator without a trainer serves as its own trainer: its parameters are its recipe."""
    if data is None:
        raise InputError("a trainer was given without data.", where="audit.run", do="Give data=(X, y) and members=.")
    given = handed(data, members=members, held_out=held_out, classes=None if classes is None else tuple(classes))
    made = trainer_of(trainer if trainer is not None else model, given.features, settings.replica_timeout)
    seed = 0 if settings.seed is None else settings.seed
    return adopt_trained(model, given, made, seed=seed, source=source)


def _network_given(
    model: nn.Module,
    data: Data | None,
    members: Samples | None,
    held_out: Samples | None,
    recipe: GivenRecipe | None,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    if data is None:
        raise InputError("a network was given without data.", where="audit.run", do="Give data=(X, y) and members=.")
    dataset = dataset_of(data, None if classes is None else tuple(classes), network=model)
    pool = pool_of(dataset, {"members": members, "held_out": held_out})
    folder = settings.recipe.folder if settings.recipe else Path.cwd()
    content = settings.recipe.recipe if settings.recipe else recipe
    assert not isinstance(content, str | Path | RecipeFile)
    retrains = recipe is not None
    checkpoint, experiment = adopt_network(
        model,
        dataset,
        pool,
        recipe_of(content, model, pool, settings.seed),
        folder,
        source=source,
        retrains=retrains,
        trust_code=settings.trust_code,
    )
    return Audited(
        checkpoint=checkpoint,
        experiment=experiment,
        given="network" if retrains else "bare-network",
        retrains=retrains,
    )
