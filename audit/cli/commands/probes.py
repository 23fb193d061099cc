"""`audit probes`."""

from __future__ import annotations

from rich.console import Console


def probes() -> None:
    """List the installed probes and their parameters."""
    from probes.probe import PROBES
    from reports.formats import console

    Console().print(console.probes_table(list(PROBES.all().values())))
