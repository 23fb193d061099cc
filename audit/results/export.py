"""Results in the forms that others read: files beside the report, and what a GitHub run shows."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.results.read import _with_samples, read_with_cost
from audit.results.write import is_stdout
from audit.storage.atomic import write
from probes.errors import StoreError
from reports.formats import github, markdown
from reports.formats.registry import PER_SAMPLE, Form, named, render
from reports.report import Report


@dataclass(frozen=True, kw_only=True)
class Style:
    """How reports are written; `at` is the file of a repository that alerts point to."""

    lang: str = "en"
    thumbnails: bool = True
    at: str = "audit.toml"
    figures: Literal["svg", "png"] = "svg"


def run_report(results: Path, form: Form, out: Path | None, style: Style) -> None:
    """One form of existing results; GitHub's goes to its runner, the others to `out` (`-` is standard output) or
    beside the results."""
    report = read_with_cost(results)
    if form in PER_SAMPLE:
        report = _with_samples(report, results)
    if form == "github" and out is None:
        announce(report, style)
        return
    content = _rendered(report, form, style)
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

    forms: tuple[Form, ...] = ()
    folder: Path
    style: Style = Style()

    @classmethod
    def of(cls, text: str, folder: Path, *, lang: str, at: str) -> Also:
        """Raises InputError for a form that there is none of."""
        return cls(forms=named(text), folder=folder, style=Style(lang=lang, at=at))

    def write(self, report: Report, results: Path) -> None:
        """`results` is where its results.json stands, or its samples.csv beside that."""
        if set(self.forms) & set(PER_SAMPLE):
            report = _with_samples(report, results)
        for form in self.forms:
            if form == "github":
                announce(report, self.style)
                continue
            for name, data in _rendered(report, form, self.style).items():
                write(self.folder / name, data)


def announce(report: Report, style: Style) -> None:
    """Annotations for the runner, which reads both streams; the job's summary and outputs into the files it names.

    Annotations go to standard error, so that `--json` has standard output for itself.
    """
    print(github.render(report, at=style.at, lang=style.lang), end="", file=sys.stderr, flush=True)
    said = {
        "GITHUB_STEP_SUMMARY": markdown.summary(report, lang=style.lang),
        "GITHUB_OUTPUT": github.outputs(report),
    }
    for variable, text in said.items():
        if path := os.environ.get(variable):
            _append(Path(path), text, variable)


def _append(path: Path, text: str, variable: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StoreError(f"cannot be written: {error.strerror}.", where=f"{path} (${variable})") from None


def _rendered(report: Report, form: Form, style: Style) -> dict[str, bytes]:
    return render(
        report, form, lang=style.lang, thumbnails=style.thumbnails, at=style.at, figures=style.figures
    )  # fmt: skip
