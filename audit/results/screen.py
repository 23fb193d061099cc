"""The console for tables: at a terminal's width, or at 80 columns in a log."""

from __future__ import annotations

from rich.console import Console

LOG = 80


def screen() -> Console:
    """The console for standard output; tables use the whole width of a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=min(LOG, console.width))
