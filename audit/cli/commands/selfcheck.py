"""`audit selfcheck`."""

from __future__ import annotations

import json as encoding
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading

if TYPE_CHECKING:
    from audit.cli.progress import Live
    from audit.self_check.cases import Case

FILE = "selfcheck.json"


def selfcheck(
    cases: o.Cases = None,
    seed: o.Seed = None,
    workers: o.Workers = 0,
    out: o.Out = Path("audit-report"),
    lang: o.Language = "en",
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> None:
    """Check that this installation finds what it should, in about ten minutes.

    Trains models with planted faults and sound ones, audits each, and compares the findings with what is true. The
    result is written to selfcheck.json; beside a results.json it becomes part of the evidence pack.

    [dim]$[/dim] audit selfcheck -o report
    [dim]$[/dim] audit selfcheck --case patch --case never-trained
    """
    validate.must_hold_a_report(out)
    with loading(quiet=quiet or json):
        from audit.self_check.check import selfcheck as checked
    from audit.cli.progress import Live
    from audit.results.screen import screen
    from audit.self_check.table import sentence, table
    from audit.storage.atomic import write
    from reports.wording.catalogue import words

    log, say, silent = Console(stderr=True), words(lang), quiet or json

    @contextmanager
    def listening(case: Case) -> Iterator[Live]:
        if not silent:
            log.print(Text(say.text(case.title), style="bold"))
        with Live(log, quiet=silent) as live:
            yield live

    found = checked(tuple(cases or ()), seed=seed or 0, workers=workers, listening=listening)
    content = encoding.dumps(found.as_json(), indent=1, sort_keys=True) + "\n"
    write(out / FILE, content)
    if json:
        print(content, end="")
    elif not quiet:
        screen().print(table(found, say))
        Console().print(sentence(found, say), highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(0 if found.ok else 1)
