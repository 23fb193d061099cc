"""Results in other formats: files beside the report, and the output for a GitHub run."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.results.read import load, read_with_cost, with_samples
from audit.results.write import is_stdout, must_not_be_results
from audit.storage.atomic import write
from audit.storage.folders import named_path, results_in
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
    """A report in another format or language: the content of every file by name, the main file first.

    results     a report, a results.json, or the folder that contains it
    format      html, markdown, summary, junit, sarif, github, gitlab, model-card, pdf, csv, parquet, evidence (a
                folder), or one from a plugin
    out         where to write the main file, with the others beside it; by default nothing is written
    lang        en or zh
    thumbnails  False: no image of a sample in any file
    figures     svg or png, for figures beside a text
    at          the file in a repository that alerts point to

    Raises InputError for an unknown format or results that cannot be read, StoreError if `out` cannot be written.

    >>> from reports.example import example_report
    >>> list(report(example_report(), "junit"))
    ['junit.xml']
    """
    made = FORMATS.load(format, where="format")
    style = Style(lang=lang, thumbnails=thumbnails, at=at, figures=figures)
    if isinstance(results, Report):
        content = dict(made.render(results, style))
    else:
        path = results_in(named_path(results)) or named_path(results)
        content = dict(made.content(load(path), _beside(path, made), style))
    if out is not None:
        _write(made, content, named_path(out))
    return content


def _beside(results: Path, made: Format) -> dict[str, bytes]:
    """The files of the run that the format needs. Raises InputError."""
    there = {name: results if name == "results.json" else results.with_name(name) for name in made.reads}
    try:
        return {name: path.read_bytes() for name, path in there.items() if path.is_file()}
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}.", where=str(results.parent)) from None


def _write(made: Format, content: Mapping[str, bytes], target: Path) -> None:
    """Raises OverwriteError if a folder is not empty: a left-over file would not be listed anywhere."""
    if made.folder and target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OverwriteError("is not empty.", where=str(target), do="Remove it, or give another --out.")
    must_not_be_results(target)
    own = "" if made.folder else next(iter(content))
    folder = target if made.folder else target.parent
    for name, data in content.items():
        write(target if name == own else folder / name, data)


def run_report(results: Path, form: str, out: Path | None, style: Style) -> None:
    """One format of existing results. A format for a CI runner is sent to the runner if no file is given; the others go
    to `out` (`-` is standard output) or beside the results."""
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
            raise InputError(f"{form} fills a folder.", where="--out", do="Give an empty one.")
        _print(content[own], left_out=len(others))
        return
    target = out or results.with_name(made.file if made.folder else own)
    _write(made, content, target)
    said = f"{target}: {made.then.format(folder=target)}" if made.then else str(target)
    Console().print(said, highlight=False, markup=False, soft_wrap=True)


def _print(content: bytes, left_out: int) -> None:
    """Writes the main file to standard output, without the figures of Markdown."""
    sys.stdout.buffer.write(content)
    sys.stdout.flush()
    if left_out:
        print(f"audit: its {left_out} figures are left out; --out FILE writes them beside it.", file=sys.stderr)


@dataclass(frozen=True, kw_only=True)
class Also:
    """The formats of `--also`: a report just made or judged again, written into `folder`."""

    forms: tuple[str, ...] = ()
    folder: Path
    style: Style = PLAIN

    @classmethod
    def of(cls, text: str, folder: Path, *, lang: str, at: str) -> Also:
        """Raises InputError for an unknown format."""
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
    """Output for the runner, which reads both streams: its lines go to standard error, so that standard output is free
    for `--json`, and its texts into the files that the runner names."""
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
