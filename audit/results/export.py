"""Results in the forms that others read: files beside the report, and what a GitHub run shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.results.read import load, read_with_cost, with_samples
from audit.results.write import is_stdout
from audit.storage.atomic import write
from audit.storage.folders import results_in
from probes.errors import InputError, OverwriteError, StoreError
from reports.formats.base import PLAIN, Announcement, Format, Style
from reports.formats.registry import FORMATS, named
from reports.report import Report


def report(
    results: str | Path | Report,
    format: str = "html",
    out: str | Path | None = None,
    *,
    lang: Literal["en", "zh"] = "en",
    thumbnails: bool = True,
    figures: Literal["svg", "png"] = "svg",
    at: str = "audit.toml",
) -> dict[str, bytes]:
    """A report in another format or language: the content of every file by name, its own first.

    results     a report, a results.json, or the folder it lies in
    format      html, markdown, summary, junit, sarif, github, gitlab, model-card, pdf, csv, parquet, evidence (a
                folder), or one that is installed
    out         where to write its own file, with the others beside it; without it nothing is written
    lang        en or zh
    thumbnails  off: no picture of a sample in any file
    figures     svg or png, for those that stand beside a text
    at          the file of a repository that alerts point to

    Raises InputError for an unknown format or results that cannot be read, StoreError where `out` cannot be written.

    >>> from reports.example import example_report
    >>> list(report(example_report(), "junit"))
    ['junit.xml']
    """
    made = FORMATS.load(format, where="format")
    style = Style(lang=lang, thumbnails=thumbnails, at=at, figures=figures)
    if isinstance(results, Report):
        content = dict(made.render(results, style))
    else:
        path = results_in(Path(results)) or Path(results)
        content = dict(made.content(load(path), _beside(path, made), style))
    if out is not None:
        _write(made, content, Path(out))
    return content


def _beside(results: Path, made: Format) -> dict[str, bytes]:
    """Those of the run's files that the format is made of. Raises InputError."""
    there = {name: results if name == "results.json" else results.with_name(name) for name in made.reads}
    try:
        return {name: path.read_bytes() for name, path in there.items() if path.is_file()}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=str(results.parent)) from None


def _write(made: Format, content: Mapping[str, bytes], target: Path) -> None:
    """Raises OverwriteError where a folder is not empty: a file of another day would be one that nothing names."""
    if made.folder and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OverwriteError("is not empty.", where=str(target), do="Remove it, or give another --out.")
    own = "" if made.folder else next(iter(content))
    folder = target if made.folder else target.parent
    for name, data in content.items():
        write(target if name == own else folder / name, data)


def run_report(results: Path, form: str, out: Path | None, style: Style) -> None:
    """One form of existing results. A format that speaks to a CI runner does so where no file is asked for; the others
    go to `out` (`-` is standard output) or beside the results."""
    made = FORMATS.load(form, where="--format")
    found = read_with_cost(results)
    if made.per_sample:
        found = with_samples(found, results)
    if made.announce is not None and out is None:
        announce(made.announce(found, style))
        return
    content = made.content(found, _beside(results, made), style)
    own, *others = content
    if is_stdout(out):
        if made.folder:
            raise InputError(f"{form} fills a folder.", where="--out", do="Give one that is empty.")
        _print(content[own], left_out=len(others))
        return
    target = out or results.with_name(made.file if made.folder else own)
    _write(made, content, target)
    said = f"{target}: {made.then.format(folder=target)}" if made.then else str(target)
    Console().print(said, highlight=False, markup=False, soft_wrap=True)


def _print(content: bytes, left_out: int) -> None:
    """The report's own file; figures that Markdown shows have no place there."""
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
    if left_out:
        print(f"audit: its {left_out} figures are left out; --out FILE writes them beside it.", file=sys.stderr)


@dataclass(frozen=True, kw_only=True)
class Also:
    """What `--also` asks for: further forms of a report just made or judged again, into `folder`."""

    forms: tuple[str, ...] = ()
    folder: Path
    style: Style = PLAIN

    @classmethod
    def of(cls, text: str, folder: Path, *, lang: str, at: str) -> Also:
        """Raises InputError for a form that there is none of."""
        return cls(forms=named(text), folder=folder, style=Style(lang=lang, at=at))

    @property
    def per_sample(self) -> bool:
        """Whether any of them needs the per-sample columns."""
        return any(one.per_sample for one in FORMATS.some(self.forms).values())

    def write(self, report: Report) -> None:
        for one in FORMATS.some(self.forms).values():
            if one.announce is not None:
                announce(one.announce(report, self.style))
                continue
            content = one.render(report, self.style)
            _write(one, content, self.folder / (one.file if one.folder else next(iter(content))))


def announce(said: Announcement) -> None:
    """To the runner, which reads both streams: its lines go to standard error, so that `--json` has standard output
    for itself; its texts into the files that the runner names."""
    print(said.lines, end="", file=sys.stderr, flush=True)
    for variable, text in said.appended.items():
        if path := os.environ.get(variable):
            _append(Path(path), text, variable)


def _append(path: Path, text: str, variable: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}.", where=f"{path} (${variable})") from None
