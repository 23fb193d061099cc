"""Every page of the site by its path. A page is one self-contained file in the report's style."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from probes.result import Result
from reports.comparison.compare import compare
from reports.document.comparison import against
from reports.formats.base import utf8
from reports.formats.html import page, render
from reports.history import formats as history_formats
from reports.history import history
from reports.history.history import Run, when
from reports.report import Report
from reports.wording.catalogue import Words, words
from reports.wording.numbers import harmless, slug

ROWS = 5000
"""Number of samples per page."""
Page = Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A run as listed on the first page; paths are empty for pages that do not exist."""

    name: str
    finished: str
    model: str
    status: str
    report: str
    samples: str
    compared: str


def site(runs: Sequence[Run], *, lang: str, thumbnails: bool, extra: Mapping[str, bytes]) -> dict[str, Page]:
    """Functions that make the pages on demand, by path. `runs` are in order of time; `extra` are existing pages (the
    frontier of `audit mitigate`)."""
    say = words(lang)
    names, finished = _names(runs), when(runs)
    pages: dict[str, Page] = {}
    entries = []
    for i, (run, name) in enumerate(zip(runs, names, strict=True)):
        pages[f"/{name}/report.html"] = partial(_report, run.report, lang, thumbnails)
        samples = f"/{name}/samples.html" if _columns(run.report) else ""
        compared = f"/{name}/compare.html" if i else ""
        if samples:
            pages[samples] = partial(_samples, run, say)
        if compared:
            pages[compared] = partial(_compare, runs[i - 1], run, say)
        entries.append(_entry(run, finished[i], name, samples, compared))
    pages["/history.html"] = partial(_history, runs, say)
    pages |= {f"/{name}": partial(bytes, content) for name, content in extra.items()}
    pages["/"] = partial(_index, entries[::-1], sorted(extra), say)
    return pages


def _names(runs: Sequence[Run]) -> list[str]:
    """Unique path segments."""
    found: list[str] = []
    for i, run in enumerate(runs):
        name = slug(run.name) or f"run-{i}"
        found.append(f"{name}-{i}" if name in found else name)
    return found


def _entry(run: Run, finished: str, name: str, samples: str, compared: str) -> Entry:
    return Entry(
        name=harmless(run.name),
        finished=finished,
        model=harmless(run.report.model.get("name", "")),
        status=run.report.verdict.status,
        report=f"/{name}/report.html",
        samples=samples,
        compared=compared,
    )


def _report(report: Report, lang: str, thumbnails: bool) -> bytes:
    return utf8(render(report, lang=lang, thumbnails=thumbnails))


def _history(runs: Sequence[Run], say: Words) -> bytes:
    return utf8(history_formats.html(runs, history.lines(runs, (), say), say))


def _compare(old: Run, new: Run, say: Words) -> bytes:
    text = against(compare(old.report, new.report), say.about(new.report.results))
    return utf8(page("compare.html", say, against=text, old=harmless(old.name), new=harmless(new.name)))


def _index(entries: Sequence[Entry], extra: Sequence[str], say: Words) -> bytes:
    return utf8(page("site.html", say, entries=entries, extra=extra))


def _samples(run: Run, say: Words) -> bytes:
    columns = _columns(run.report)
    total = max(len(column) for column in columns.values())
    ids = run.report.ids
    rows = [
        [str(i), *([harmless(ids[i])] if ids else []), *(_cell(column[i]) for column in columns.values())]
        for i in range(min(total, ROWS))
    ]
    heads = [say.term("sample"), *([say.term("id")] if ids else []), *(harmless(name) for name in columns)]
    return utf8(page("samples.html", say, heads=heads, rows=rows, total=total, name=harmless(run.name)))


def _columns(report: Report) -> dict[str, np.ndarray]:
    """The probes' per-sample results, by probe and column."""
    return {
        f"{result.probe}.{name}": column
        for result in report.results
        if isinstance(result, Result)
        for name, column in result.per_sample.items()
    }


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.4g}" if math.isfinite(value) else ""
    return harmless(value)
