"""`audit.finetune`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.api.arguments import GivenRecipe, recipe_file_of
from audit.checkpoints.finetune import to_file
from audit.pipelines.listener import Listener
from audit.runtime.devices import check_torch
from audit.storage.folders import named_path
from probes.message import Text


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A checkpoint just made.

    path                 of the checkpoint
    members              how many samples trained it
    train_accuracy       share of them that it gets right after the last epoch, in [0, 1]
    validation_accuracy  the same of the validation samples; None if nothing is held back for them
    notes                what was converted when the data was read
    """

    path: Path
    members: int
    train_accuracy: float
    validation_accuracy: float | None
    notes: tuple[Text, ...]


def finetune(
    recipe: GivenRecipe,
    out: str | Path = "ckpt.pt",
    *,
    changes: Sequence[str] = (),
    trust_code: bool = True,
    listener: Listener | None = None,
) -> Finetuned:
    """Fine-tune a model from a recipe and write its checkpoint, which records everything that an audit needs.

    recipe      the path of a recipe, or its content as a dict; relative paths start at its folder, or at the working
                folder
    out         the checkpoint; an interrupted run with the same recipe and output resumes where it stopped
    changes     single values that replace the recipe's, as KEY=VALUE in TOML: "train.epochs=5"
    trust_code  allow the recipe's own Python factories to run; on by default
    listener    is notified of epochs

    Returns the checkpoint's path and what its training came to. Raises RecipeError, DataError, and OverwriteError if
    `out` exists.

    >>> recipe = {
    ...     "data": {"kind": "digits"},
    ...     "split": {"members": 20, "held_out": 20},
    ...     "source": {"model": "torchvision:squeezenet1_1"},
    ...     "input": {"channels": 3, "size": 32},
    ...     "transfer": "features",
    ...     "train": {"epochs": 1},
    ... }
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = finetune(recipe, Path(folder, "ckpt.pt"))
    >>> made.members
    20
    """
    check_torch()
    given = recipe_file_of(recipe, changes=changes)
    assert given is not None
    path = named_path(out)
    heard = (listener or Listener()).epoch
    experiment, trained = to_file(given.recipe, given.folder, path, trust_code=trust_code, progress=heard)
    return Finetuned(
        path=path,
        members=int(experiment.pool.member.sum()),
        train_accuracy=trained.trace.train_accuracy[-1],
        validation_accuracy=trained.trace.validation_accuracy[-1] if experiment.pool.validation.any() else None,
        notes=tuple(experiment.dataset.notes),
    )
