"""`audit finetune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading
from probes.texts import texts

if TYPE_CHECKING:
    from audit.config.recipe import RecipeFile


def finetune(
    recipe: o.RecipeFile,
    changes: o.Changes = None,
    out: o.Checkpoint = Path("ckpt.pt"),
    quiet: o.Quiet = False,
) -> None:
    """Fine-tune a model from a recipe, so that it can be audited.

    The checkpoint records recipe, data fingerprint, split, source weights and
    training history. An interrupted run resumes where it stopped.

    [dim]$[/dim] audit finetune examples/digits.toml -o ckpt.pt
    [dim]$[/dim] audit finetune recipe.toml --set train.epochs=5 -o fewer.pt
    """
    given = validate.recipe_file(recipe, changes)
    validate.must_be_a_new_file(out)
    fine_tune(given, out, quiet)


def fine_tune(recipe: RecipeFile, out: Path, quiet: bool) -> None:
    """Fine-tune, and report the result."""
    with loading(quiet=quiet):
        from audit import api
    from audit.cli.progress import Live
    from reports.wording.numbers import spaced

    screen = Console(stderr=True)
    with Live(screen, quiet=quiet) as live:
        made = api.finetune(recipe, out, listener=live)
    if quiet:
        return
    for note in made.notes:
        screen.print(texts("en").say(note), highlight=False, markup=False, soft_wrap=True)
    said = f"{out}: {made.members} members, training accuracy {made.train_accuracy:.1%}"
    if made.validation_accuracy is not None:
        said += f", validation accuracy {made.validation_accuracy:.1%}"
    screen.print(spaced(said), highlight=False, markup=False, soft_wrap=True)
