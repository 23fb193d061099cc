"""Results in the forms that others read: files beside the report, and what a GitHub run shows."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from audit.results.read import read_with_cost, with_samples
from audit.results.write import is_stdout
from audit.storage.atomic import write
from probes.errors import StoreError
from reports.formats.base import PLAIN, Announcement, Style
from reports.formats.registry import FORMATS, named
from reports.report import Report


def run_report(results: Path, form: str, out: Path | None, style: Style) -> None:
    """One form of existing results; GitHub's goes to its runner, the others to `out` (`-` is standard output) or
    beside the results."""
    made = FORMATS.load(form, where="--format")
    report = read_with_cost(results)
    if made.per_sample:
        report = with_samples(report, results)
    if made.announce is not None and out is None:
        announce(made.announce(report, style))
        return
    content = made.render(report, style)
    own, *others = content
    if is_stdout(out):
        _print(content[own], left_out=len(others))
        return
    target = out or results.with_name(own)
    for name, data in content.items():
        write(target if name == own else target.parent / name, data)
    Console().print(str(target), highlight=False, markup=False, soft_wrap=True)


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

    def write(self, report: Report, results: Path) -> None:
        """`results` is where its results.json stands, or its samples.csv beside that."""
        formats = FORMATS.some(self.forms)
        if any(one.per_sample for one in formats.values()):
            report = with_samples(report, results)
        for one in formats.values():
            if one.announce is not None:
                announce(one.announce(report, self.style))
                continue
            for name, data in one.render(report, self.style).items():
                write(self.folder / name, data)


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
