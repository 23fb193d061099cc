"""`audit demo`."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import as_file, files
from pathlib import Path

import typer

from audit.cli import options as o
from audit.cli.commands.finetune import fine_tune
from audit.cli.commands.run import audited
from audit.cli.loading import loading


def demo(
    workers: o.Workers = 0,
    store: o.StoreFolder = None,
    out: o.Out = Path("audit-demo"),
    quiet: o.Quiet = False,
) -> None:
    """Take a one-minute tour: fine-tune on embedded data, audit, report.

    [dim]$[/dim] audit demo -o audit-demo
    """
    with loading(quiet=quiet, log=True):
        import_module("audit.api")
        from audit.config.recipe import RecipeFile

    model = out / "ckpt.pt"
    if not model.exists():
        with as_file(files("audit.config") / "templates" / "demo.toml") as path:
            fine_tune(RecipeFile.read(path), model, quiet)
    report = audited(model, out, None, lang="en", quiet=quiet, store=store, workers=workers)
    raise typer.Exit(report.verdict.exit_code)
