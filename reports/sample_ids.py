"""The owner's ids of samples, and the original texts, for those that a report names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from probes.result import Failure, Gallery, Result, Sentences, Table
from reports.report import Json, Report


def with_ids(report: Report, ids: Sequence[str]) -> Report:
    """The report with these ids of all samples in order; its data gets those of the samples that it names."""
    if not ids:
        return report
    named: dict[str, Json] = {str(one): ids[one] for one in sorted(_named(report.results)) if one < len(ids)}
    return dataclasses.replace(report, ids=tuple(ids), data={**report.data, "ids": named})


LONGEST = 200
"""Largest number of characters of a text that is shown."""


def with_texts(report: Report, texts: Sequence[str]) -> Report:
    """The report with the texts of the samples that it names, truncated to LONGEST characters."""
    if not texts:
        return report
    some = [one for one in sorted(_named(report.results)) if one < len(texts)]
    shown: dict[str, Json] = {str(one): texts[one][:LONGEST] + "…" * (len(texts[one]) > LONGEST) for one in some}
    return dataclasses.replace(report, data={**report.data, "texts": shown})


def _named(results: Sequence[Result | Failure]) -> set[int]:
    return {sample for one in results if isinstance(one, Result) for sample in _in(one)}


def _in(result: Result) -> Iterator[int]:
    for finding in result.findings:
        yield from finding.samples
    for figure in result.figures:
        if isinstance(figure, Gallery | Sentences):
            yield from (row.sample for row in figure.rows)
        elif isinstance(figure, Table):
            yield from (one for one in figure.columns.get("sample", ()) if type(one) is int)
