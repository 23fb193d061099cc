"""All audits below a folder: found, read, put in order of time, written."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.results.read import read_cost, read_results
from audit.results.screen import screen
from audit.results.write import is_stdout
from audit.storage.atomic import write
from probes.errors import InputError
from reports.history import formats as history_formats
from reports.history import history
from reports.history.history import Run
from reports.wording.catalogue import words

Format = Literal["table", "html", "markdown", "csv"]


def run_history(folder: Path, form: Format, out: Path | None, asked: Sequence[str], lang: str) -> None:
    """Raises InputError where there is no audit below the folder."""
    runs = find(folder)
    say = words(lang)
    found = history.lines(runs, asked, say)
    if form == "table" and out is None:
        screen().print(history_formats.console(runs, found, say))
        return
    if form == "csv":
        text = history.table_csv(runs, found)
    elif form == "html":
        text, out = history_formats.html(runs, found, say), out or folder / "history.html"
    else:
        text = history_formats.markdown(runs, found, say)
    if out is None or is_stdout(out):
        sys.stdout.write(text)
        return
    write(out, text)
    Console().print(str(out), highlight=False, markup=False, soft_wrap=True)


def find(folder: Path) -> list[Run]:
    """Every audit below, the oldest first; one line on standard error for each file that is none."""
    runs = [run for run, _ in located(folder)]
    if not runs:
        raise InputError("holds no results.json of an audit.", where=str(folder), do="Run `audit run` into it first.")
    return runs


def located(folder: Path) -> list[tuple[Run, Path]]:
    """Every audit below with its results.json, the oldest first. Raises InputError where there is no such folder."""
    if not folder.is_dir():
        raise InputError("is not a folder.", where=str(folder), do="Give the folder that holds the reports.")
    runs = []
    for path in sorted(folder.rglob("results.json")):
        try:
            report = read_results(path)
        except InputError as error:
            print(f"audit: left out: {error}", file=sys.stderr)
            continue
        name = str(path.parent.relative_to(folder))
        run = Run(name=folder.name if name == "." else name, finished=_finished(path), report=report)
        runs.append((run, path))
    return sorted(runs, key=lambda one: (one[0].finished, one[0].name))


def _finished(results: Path) -> str:
    """In UTC, from the run.json beside it; without one, when the file was last written."""
    written = datetime.datetime.fromtimestamp(results.stat().st_mtime, datetime.UTC)
    try:
        moment = datetime.datetime.fromisoformat(str(read_cost(results)["finished"]))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        moment = moment.astimezone(datetime.UTC)
    except (InputError, ValueError, KeyError, OverflowError):
        moment = written
    believed = moment if 2000 <= moment.year <= written.year + 1 else written
    return believed.isoformat(timespec="seconds")
