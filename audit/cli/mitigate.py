"""`audit mitigate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from audit import api
from audit.cli.progress import Live
from audit.config.run_settings import Language
from audit.results.screen import screen
from reports.frontier import formats as frontier_formats
from reports.frontier.frontier import Frontier, named
from reports.wording.catalogue import words


def run_mitigate(
    model: Path, out: Path, asked: Sequence[str], *, lang: Language, quiet: bool, as_json: bool, **given: Any
) -> Frontier:
    """Try countermeasures, write each one's report and the frontier; `given` are further parameters of
    `audit.mitigate`."""
    log, say = Console(stderr=True), words(lang)

    @contextmanager
    def listening(name: str) -> Iterator[Live]:
        if not quiet:
            log.print(Text(named(name, say), style="bold"))
        with Live(log, quiet=quiet) as live:
            yield live

    frontier = api.mitigate(model, asked, out=out, lang=lang, listening=listening, **given)
    if as_json:
        print(frontier_formats.as_json(frontier), end="")
    elif not quiet:
        screen().print(frontier_formats.console(frontier, say))
        Console().print(f"Frontier: {out / 'frontier.html'}", highlight=False, markup=False, soft_wrap=True)
    return frontier
