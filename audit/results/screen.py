"""Where tables go: a terminal at its width, a log at 80 columns."""

from __future__ import annotations

from rich.console import Console

LOG = 80


def screen() -> Console:
    """Of standard output; tables take the whole width of a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=min(LOG, console.width))
