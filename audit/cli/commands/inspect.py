"""`audit inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading
from probes.errors import one_line

if TYPE_CHECKING:
    from audit.checkpoints.inspect import Inspection


def inspect(
    model: o.Inspected,
) -> None:
    """Print and verify the contents of a checkpoint; no code in it is run.

    [dim]$[/dim] audit inspect ckpt.pt
    """
    validate.must_be_a_model(model)
    with loading(quiet=False):
        from audit.checkpoints.inspect import inspect as look_into
        from audit.runtime.devices import check_torch

    check_torch()
    found = look_into(model)
    Console().print(table(found))
    raise typer.Exit(0 if found.passed else 1)


def table(found: Inspection) -> Table:
    """Print the contents of a checkpoint, and whether they match what it declares."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, fact in found.facts.items():
        shown.add_row(Text(one_line(name)), Text(one_line(fact)))
    for check in found.checks:
        mark = ("ok", "green") if check.passed else ("FAILED", "bold red")
        shown.add_row(Text.assemble(mark), Text(one_line(f"{check.name}: {check.detail}")))
    return shown
