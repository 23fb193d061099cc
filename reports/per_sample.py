"""Per-sample results as columns: `probe.name` with one entry per sample of the data set; written and read as
samples.csv."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re

import numpy as np
from jaxtyping import Shaped

from probes.result import Result
from reports.archive import ArchiveError
from reports.report import Report
from reports.spreadsheet import cell

ID = "id"
"""The column of the owner's ids; every other column is `probe.name`."""
QUOTED = re.compile(r"^'(?=[=+\-@])")
Columns = dict[str, Shaped[np.ndarray, " samples"]]


def columns(report: Report) -> Columns:
    """Every per-sample column of the report; empty if it has none. Raises ArchiveError on different lengths."""
    found = {
        f"{result.probe}.{name}": np.asarray(column)
        for result in report.results
        if isinstance(result, Result)
        for name, column in result.per_sample.items()
    }
    if len(lengths := sorted({len(column) for column in found.values()})) > 1:
        raise ArchiveError(f"per-sample columns have different lengths: {lengths}.")
    return found


def to_csv(report: Report) -> str:
    """The text of samples.csv: one line per sample, with its owner's id if it has one, and one column per per-sample
    number with six digits, empty if not finite. An id that begins like a formula is quoted, so that spreadsheets do not
    run it."""
    ids = np.array([cell(one) for one in report.ids])
    named = {**({ID: ids} if report.ids else {}), **columns(report)}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["sample", *named])
    for sample in range(max(map(len, named.values()), default=0)):
        writer.writerow([sample, *(_cell(column[sample]) for column in named.values())])
    return text.getvalue()


def from_csv(report: Report, text: str, where: str = "samples.csv") -> Report:
    """The report with the per-sample columns that `to_csv` wrote. Raises ArchiveError."""
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise ArchiveError(f"is not a samples.csv of transfer-audit: {error}.", where=where) from None
    head = rows[0] if rows else []
    if not text.endswith("\n") or head[:1] != ["sample"] or any(len(row) != len(head) for row in rows):
        raise ArchiveError("is not a samples.csv of transfer-audit, or is truncated.", where=where)
    if len(set(head)) < len(head) or any(row[0] != str(i) for i, row in enumerate(rows[1:])):
        raise ArchiveError("is not a samples.csv of transfer-audit: a column or a sample occurs twice.", where=where)
    ids = tuple(QUOTED.sub("", row[1]) for row in rows[1:]) if head[1:2] == [ID] else ()
    named = {name: _column([row[i] for row in rows[1:]]) for i, name in enumerate(head) if name not in ("sample", ID)}
    return with_columns(report, named, ids)


def with_columns(report: Report, named: Columns, ids: tuple[str, ...]) -> Report:
    """The report with these per-sample columns, `probe.name` each, in place of its own."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, values in named.items():
        probe, _, column = name.partition(".")
        found.setdefault(probe, {})[column] = values
    results = tuple(
        dataclasses.replace(one, per_sample=found.get(one.probe, {})) if isinstance(one, Result) else one
        for one in report.results
    )
    return dataclasses.replace(report, results=results, ids=ids)


def _column(cells: list[str]) -> np.ndarray:
    """Numbers if all cells are (an empty one is NaN), else text."""
    try:
        return np.array([float(cell) if cell else math.nan for cell in cells], dtype=np.float64)
    except ValueError:
        return np.array([QUOTED.sub("", cell) for cell in cells])


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "" if not math.isfinite(value) else f"{value:.6g}"
    return str(cell(str(value)))
