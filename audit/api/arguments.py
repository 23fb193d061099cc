"""The accepted types of the Python API's arguments, and their conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from torch import Tensor, nn

from audit.checkpoints.folders.completed import completing
from audit.config import recipe as recipes
from audit.config.audit_config import Config
from audit.config.duration import seconds_of
from audit.config.overrides import overridden
from audit.config.recipe import Recipe, RecipeFile
from audit.data.array_like import ArrayLike
from audit.data.dataset import Dataset
from audit.evidence.predictions import Predictions
from audit.storage.folders import checkpoint_in, must_be_a_model, named_path
from audit.storage.hub_cache import base_in
from audit.trainers.base import Estimator, Fit, Predictor, Trainer
from probes.errors import InputError, RecipeError

if TYPE_CHECKING:
    Model: TypeAlias = str | Path | nn.Module | Estimator | Predictor | Predictions
    Data: TypeAlias = (
        str
        | Path
        | Dataset
        | tuple[ArrayLike, ArrayLike]
        | tuple[ArrayLike, ArrayLike, ArrayLike]
        | Mapping[str, ArrayLike]
    )
    GivenTrainer: TypeAlias = str | Trainer | Estimator | Callable[[Fit], object]
    Variants: TypeAlias = Sequence[str | Path] | Mapping[str, str | Path | nn.Module | ArrayLike]
else:
    Model = Data = GivenTrainer = Variants = object
"""Only type checkers see these: at run time everything is accepted, and what is of no use is refused in one line."""
Samples = np.ndarray | Tensor | list[int] | range
GivenRecipe = str | Path | Mapping[str, Any] | Recipe | RecipeFile
GivenConfig = str | Path | Mapping[str, Any] | Config


def refuse(**given: object) -> None:
    """Raises InputError for arguments that a checkpoint file already contains."""
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"{name} is only for networks; a checkpoint and its recipe already contain it.",
                where="audit.run",
                do=f"Omit {name}.",
            )


INSTEAD = {
    "held_out": "All rows of the data that are no members are held out.",
    "source": "Give base.",
    "classes": "It has none.",
    "variants": "Audit each of them alone.",
    "weights": "Save the weights that are audited in a folder of their own.",
    "reference": "Give the earlier audit's results.json as baseline.",
    "data_root": "Give data.",
    "stop_early": "Give a budget, or probes.membership.repeats.",
    "tried": "Hold out rows on which no model was chosen.",
    "workers": "Its replicas are trained together in one process: leave it out.",
    "executor": "Its replicas are trained together in one process: leave it out.",
}
"""What does for a language model what these do for classifiers."""


def refuse_for_language_models(**given: object) -> None:
    """Raises InputError for what an audit of a language model does not take, with what to do instead."""
    for name, value in given.items():
        if value is not None:
            raise InputError(f"{name} is not for language models.", where="audit.run", do=INSTEAD[name])


def checkpoint_of(model: str | Path) -> Path:
    path = checkpoint_in(Path(model)) or Path(model)
    must_be_a_model(path)
    return path


def recipe_file_of(
    given: GivenRecipe | None,
    *,
    whole: bool = True,
    model: Model | None = None,
    base: str | Path | None = None,
    trust_code: bool = False,
    changes: Sequence[str] = (),
) -> RecipeFile | None:
    """The recipe, read once and completed from the model's folder; content that is not `whole` is completed elsewhere,
    from the network that it belongs to. Raises RecipeError if there is nothing for the `changes` to change."""
    if changes and not isinstance(given, str | Path | Mapping):
        raise RecipeError("there is no recipe to change.", where="changes", do="Give it as the recipe.")
    if given is None or isinstance(given, RecipeFile):
        return given
    file = Path(given) if isinstance(given, str | Path) else None
    beside = Path.cwd() if file is None else file.resolve().parent
    place = Path(model) if isinstance(model, str | Path) else None
    complete = completing(place, beside, base_given(base), trust_code=trust_code)
    if file is not None:
        return RecipeFile.read(file, changes, complete=complete)
    if not whole:
        return None
    if isinstance(given, Recipe):
        return RecipeFile(recipe=given)
    assert isinstance(given, Mapping)
    content = overridden(given, changes, RecipeError)
    recipe = recipes.parse(complete(content) if complete else content, "recipe")
    return RecipeFile(recipe=recipe, trains=recipes.keys_of_train(content))


def base_given(given: str | Path | None) -> Path | None:
    """What the training of a model in a folder started from: a folder, or a file."""
    return base_in(path_of(given))


def seconds_given(span: str | float | None, where: str = "budget") -> float | None:
    return seconds_of(span, where) if isinstance(span, str) else span


def path_of(given: str | Path | None) -> Path | None:
    return None if given is None else named_path(given)
