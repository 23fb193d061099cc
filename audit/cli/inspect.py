"""`audit inspect`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.runtime import check_torch
from probes.errors import one_line


def run_inspect(model: Path) -> int:
    """What is in a checkpoint, and whether it is what it says; 1 where a check failed."""
    check_torch()
    from audit.checkpoints.inspect import inspect

    found = inspect(model)
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column(style="bold", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, fact in found.facts.items():
        shown.add_row(Text(one_line(name)), Text(one_line(fact)))
    for check in found.checks:
        mark = ("ok", "green") if check.passed else ("FAILED", "bold red")
        shown.add_row(Text.assemble(mark), Text(one_line(f"{check.name}: {check.detail}")))
    Console().print(shown)
    return 0 if found.passed else 1
