"""Fine-tune from a recipe and write the checkpoint."""

from __future__ import annotations

from pathlib import Path

from audit.checkpoints import checkpoint
from audit.config.recipe import Recipe
from audit.runtime.garbage import older_left_alone
from audit.runtime.threads import threads
from audit.training.experiment import Experiment
from audit.training.loop import Trained
from audit.training.prepare import Progress, _kept, check_choice, keeper_of, prepare, run
from audit.training.resume_state import Keeper
from probes.errors import OverwriteError


def to_file(
    recipe: Recipe, folder: Path, out: Path, *, trust_code: bool = False, progress: Progress | None = None
) -> tuple[Experiment, Trained]:
    """Fine-tune and write the checkpoint; resumes where an interrupted run of the same recipe and output stopped.

    Raises OverwriteError before any work if `out` exists.
    """
    if out.exists():
        raise OverwriteError("exists already.", where=str(out), do="Choose another --out or remove it.")
    with threads(1), older_left_alone():
        experiment = prepare(recipe, folder, trust_code=trust_code, progress=progress, out=out)
        if experiment.recipe.transfer.mode == "auto":
            from audit.training.transfer_selection import resolve_transfer

            experiment = resolve_transfer(experiment)
    return experiment, train_into(experiment, out, folder, progress)


def train_into(experiment: Experiment, out: Path, folder: Path, progress: Progress | None = None) -> Trained:
    """Fine-tune the audited row and write its checkpoint; `folder` is what the recipe's paths are relative to."""
    check_choice(experiment.recipe.train, experiment.pool)  # a countermeasure may have introduced the choice
    trained = run(experiment, "target", progress, keeper_of(experiment, out, "target"))
    checkpoint.save(out, experiment, trained, folder)
    for stage in ("source", "target"):
        Keeper(_kept(out, stage), "").discard()
    return trained
