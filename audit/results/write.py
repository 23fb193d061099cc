"""The files that an audit writes, each completely or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from audit.results.drawing_cache import drawings_kept
from audit.storage.atomic import write
from probes.errors import OverwriteError
from reports import archive, per_sample
from reports.report import Json, Report

if TYPE_CHECKING:
    from audit.storage.store import Store


def write_report(
    out: Path,
    report: Report,
    *,
    lang: str,
    log: Mapping[str, Json] | None = None,
    store: Store | None = None,
) -> None:
    """report.html, report.md with its figures, results.json, samples.csv, run.json with times and cost, and log.json
    with what was run. Drawings are kept in the store, if there is one."""
    # Before anything is drawn: from existing results, `audit report` can draw the rest again.
    results = archive.dump(report)
    write(out / "results.json", results)
    write(out / "samples.csv", per_sample.to_csv(report))
    write(out / "run.json", json.dumps(dict(report.cost), indent=1, sort_keys=True) + "\n")
    if log is not None:
        write(out / "log.json", json.dumps(log, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n")
    with nullcontext() if store is None else drawings_kept(store, results, lang):
        write_pages(out, report, lang=lang)


def write_pages(out: Path, report: Report, *, lang: str) -> None:
    """report.html, and report.md with its figures."""
    from reports.formats import html, markdown  # drawing takes a second to import

    write(out / "report.html", html.render(report, lang=lang))
    text, figures = markdown.render(report, lang=lang)
    write(out / "report.md", text)
    for name, image in figures.items():
        write(out / name, image)


def must_not_be_results(target: Path) -> None:
    """Raises OverwriteError if a file that can be made again would take the place of results."""
    if target.name == "results.json" and target.is_file():
        raise OverwriteError("is the results of an audit.", where=str(target), do="Give another --out.")


def is_stdout(path: Path | None) -> bool:
    """Whether it is a file: `-` is not."""
    return path == Path("-")
