"""All audits below a folder: finds, reads, sorts by time, and writes them."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.results.read import read_cost, read_results
from audit.results.screen import screen
from audit.results.write import is_stdout, must_not_be_results
from audit.storage.atomic import write
from audit.storage.folders import named_path
from probes.errors import InputError
from reports.history import formats as history_formats
from reports.history.history import Run, lines, table_csv
from reports.wording.catalogue import words

Format = Literal["table", "html", "markdown", "csv"]
FileFormat = Literal["html", "markdown", "csv"]

BY_NAME: Mapping[str, FileFormat] = {
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".md": "markdown",
    ".txt": "markdown",
}
"""The format of a file for which none is named, by the end of its name; without an end, Markdown."""


def history(
    folder: str | Path,
    *,
    estimates: Sequence[str] = (),
    format: Literal["html", "markdown", "csv"] = "html",
    out: str | Path | None = None,
    lang: Literal["en", "zh"] = "en",
) -> list[Run]:
    """All audits below a folder, oldest first; with `out`, their estimates over time are written there.

    folder     the folder with results.json files, at any depth
    estimates  only these, such as recipe.auc; default: whatever was checked in any of them
    format     format of the file: html, markdown or csv
    out        the file; by default nothing is written
    lang       en or zh

    Returns a Run for each: its name (its location), when it finished (ISO, UTC), its report. Raises InputError if there
    is no audit, ConfigError for an estimate that none has, StoreError if `out` cannot be written.

    >>> import tempfile
    >>> from reports import dump
    >>> from reports.example import example_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "results.json").write_text(dump(example_report()), encoding="utf-8")
    ...     len(history(folder))
    1
    """
    runs = find(named_path(folder))
    if out is not None:
        must_not_be_results(named_path(out))
        write(named_path(out), _written(runs, format, estimates, lang))
    return runs


def _written(runs: list[Run], form: FileFormat, asked: Sequence[str], lang: str) -> str:
    say = words(lang)
    found = lines(runs, asked, say)
    if form == "csv":
        return table_csv(runs, found)
    return history_formats.html(runs, found, say) if form == "html" else history_formats.markdown(runs, found, say)


def _by_name(out: Path | None) -> FileFormat:
    """Raises InputError for the name of a file of another kind."""
    ending = "" if out is None else out.suffix.lower()
    if ending and ending not in BY_NAME:
        raise InputError(f"a history has no format {ending}.", where=str(out), do=f"Known: {', '.join(BY_NAME)}.")
    return BY_NAME.get(ending, "markdown")


def run_history(folder: Path, form: Format, out: Path | None, asked: Sequence[str], lang: str) -> None:
    """Raises InputError if there is no audit below the folder."""
    runs = find(folder)
    if form == "table" and out is None:
        say = words(lang)
        screen().print(history_formats.console(runs, lines(runs, asked, say), say))
        return
    text = _written(runs, _by_name(out) if form == "table" else form, asked, lang)
    if form == "html":
        out = out or folder / "history.html"
    if out is None or is_stdout(out):
        sys.stdout.write(text)
        return
    must_not_be_results(out)
    write(out, text)
    Console().print(str(out), highlight=False, markup=False, soft_wrap=True)


def find(folder: Path) -> list[Run]:
    """Every audit below, oldest first; prints one line on standard error for each file that is not one."""
    runs = [run for run, _ in located(folder)]
    if not runs:
        raise InputError("holds no results.json of an audit.", where=str(folder), do="Run `audit run` into it first.")
    return runs


def located(folder: Path) -> list[tuple[Run, Path]]:
    """Every audit below with its results.json, oldest first. Raises InputError if the folder does not exist."""
    if not folder.is_dir():
        raise InputError("is not a folder.", where=str(folder), do="Give the folder that contains the reports.")
    runs = []
    for path in _below(folder):
        try:
            report = read_results(path)
        except InputError as error:
            print(f"audit: left out: {error}", file=sys.stderr)
            continue
        name = str(path.parent.relative_to(folder))
        run = Run(name=folder.name if name == "." else name, finished=_finished(path), report=report)
        runs.append((run, path))
    return sorted(runs, key=lambda one: (one[0].finished, one[0].name))


def _below(folder: Path) -> list[Path]:
    """Folders that vanish, or may not be entered, are left out."""
    return sorted(Path(place) / "results.json" for place, _, files in os.walk(folder) if "results.json" in files)


def _finished(results: Path) -> str:
    """The time in UTC, from the run.json beside it; without one, when the file was last written."""
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
