"""One section per risk: the findings, the numbers behind them, their limits, and what usually helps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from probes.result import Chart, Estimate, Failure, Figure, Finding, Result, Sentences, Table
from reports.document.absent import Absent
from reports.document.checks import CheckText, decides, judged, text_of
from reports.document.next_steps import command
from reports.document.own_notes import own_notes
from reports.document.severity import RANK, status_of
from reports.remedies import remedies_table
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.estimates import counted, in_line, shown
from reports.wording.figures import spoken, translated
from reports.wording.numbers import harmless, harmless_long, slug

SAMPLES_NAMED = 12
CHARTS = 4
"""Number of a section's charts that are shown without expanding."""
NAMES_SAMPLES = {"sample", "attacker", "challenger", "person", "prior", "release", "variant"}
"""Columns of tables that readers act on: record by record, person by person, attacker by attacker."""


@dataclass(frozen=True, kw_only=True)
class FindingText:
    code: str
    severity: str
    claim: str
    because: tuple[tuple[str, str], ...]
    """The estimates behind it: title, then value with interval and n."""
    level: str
    """The level of these intervals; empty if they have several, and each states its own."""
    how: str
    limits: str
    helps: str
    command: str
    samples: str


@dataclass(frozen=True, kw_only=True)
class EstimateText:
    name: str
    title: str
    value: str
    interval: str
    level: str
    """Empty where there is no interval."""
    n: str
    unit: str
    caveat: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    probe: str
    anchor: str
    title: str
    status: str
    question: str
    failure: str
    findings: tuple[FindingText, ...]
    estimates: tuple[EstimateText, ...]
    figures: tuple[Figure, ...]
    further: tuple[Figure, ...]
    """Figures that are collapsed at first."""
    notes: tuple[str, ...]
    method: str
    citations: tuple[str, ...]


def section(result: Result | Failure | Absent, report: Report, checks: tuple[CheckText, ...], say: Words) -> Section:
    """`checks` are those of all probes, in display form."""
    failure = ""
    findings: tuple[FindingText, ...] = ()
    estimates: tuple[EstimateText, ...] = ()
    figures: list[Figure] = []
    further: list[Figure] = []
    notes: tuple[str, ...] = ()
    if isinstance(result, Failure):
        failure = say("ui", "failed", error=harmless(result.error), message=harmless_long(result.message))
    elif isinstance(result, Absent):
        failure = say("ui", "lacking" if result.lacking else "absent")
    else:
        ranked = sorted(result.findings, key=lambda finding: -RANK[finding.severity])
        findings = tuple(
            _finding(finding, result, report, say)
            if (check := decides(finding, result.probe, report, say)) is None
            else _answered(finding, result, report, judged(text_of(check, checks), say), say)
            for finding in ranked
        )
        estimates = tuple(_estimate(estimate, result.probe, say) for estimate in result.estimates)
        if (table := remedies_table(report.remedies, result.probe, say)) is not None:
            figures.append(table)
        shown = [figure for figure in result.figures if not _is_empty(figure)]
        for chosen, group in zip((figures, further), in_sight(shown), strict=True):
            chosen += [_figure(_with_ids(figure, report), result.probe, say) for figure in group]
        notes = own_notes(result, report, say)
    citations = say.find("probes", result.probe, "citations") or ()
    return Section(
        probe=result.probe,
        anchor=slug(result.probe),
        title=harmless(say.probe(result.probe, "title")),
        status=status_of(result, report),
        question=say.probe(result.probe, "question"),
        failure=failure,
        findings=findings,
        estimates=estimates,
        figures=tuple(figures),
        further=tuple(further),
        notes=notes,
        method=say.probe(result.probe, "method"),
        citations=tuple(str(one) for one in citations),
    )


def in_sight(figures: Sequence[Figure]) -> tuple[list[Figure], list[Figure]]:
    """What is shown, and what is collapsed: a few charts in the probe's own order, tables of samples, images.

    Fewer figures than fit a screen are not collapsed.
    """
    charts = [figure for figure in figures if isinstance(figure, Chart)]
    others = [figure for figure in figures if not isinstance(figure, Chart)]
    shown = charts[:CHARTS] + [one for one in others if not isinstance(one, Table) or NAMES_SAMPLES & set(one.columns)]
    folded = charts[CHARTS:] + [one for one in others if all(one is not other for other in shown)]
    return ([*charts, *others], []) if len(figures) <= CHARTS else (shown, folded)


def _is_empty(figure: Figure) -> bool:
    """Without a row there is nothing to draw: a chart of it would have no size."""
    if isinstance(figure, Chart) and figure.mark == "bars" and not any(figure.columns[figure.y.column]):
        return True
    if isinstance(figure, Chart | Table):
        return not any(len(column) for column in figure.columns.values())
    return not figure.rows


def _figure(figure: Figure, probe: str, say: Words) -> Figure:
    """Its title, headings and caption in this language, if there are texts for them."""
    known = say.find("figures", f"{probe}.{figure.name}")
    title, caption = str(known or say.text(figure.title)), say.text(figure.caption)
    term = partial(say.term, probe=probe)
    if isinstance(figure, Chart):
        return dataclasses.replace(translated(figure, term), title=title, caption=caption)
    if isinstance(figure, Table):
        return dataclasses.replace(spoken(figure, term), title=title, caption=caption)
    headings = tuple(term(one) for one in figure.headings)
    if isinstance(figure, Sentences):
        said = tuple(dataclasses.replace(row, title=say.text(row.title)) for row in figure.rows)
        return dataclasses.replace(figure, title=title, caption=caption, headings=headings, rows=said)
    rows = tuple(dataclasses.replace(row, title=say.text(row.title)) for row in figure.rows)
    return dataclasses.replace(figure, title=title, caption=caption, headings=headings, rows=rows)


def _with_ids(figure: Figure, report: Report) -> Figure:
    """A table of samples with the owner's ids beside their numbers, if they have any."""
    if not isinstance(figure, Table) or "sample" not in figure.columns:
        return figure
    columns = dict(figure.columns)
    shown: dict[str, list[Any]] = {"sample": list(columns.pop("sample"))}
    for name, told in (("id", report.called), ("text", report.text)):
        if report.data.get(f"{name}s"):
            shown[name] = [harmless(told(one)) if type(one) is int else "" for one in shown["sample"]]
    return dataclasses.replace(figure, columns={**shown, **columns})


def _sample(sample: int, report: Report) -> str:
    """Its number, its owner's id, and its text."""
    called, text = report.called(sample), report.text(sample)
    named = f"{sample} ({harmless(called)})" if called else str(sample)
    return f"{named} “{harmless(text)}”" if text else named


def _finding(finding: Finding, result: Result, report: Report, say: Words) -> FindingText:
    estimates = {estimate.name: estimate for estimate in result.estimates}
    levels = {shown(estimates[name], say)[2] for name in finding.because if name in estimates} - {""}
    common = levels.pop() if len(levels) == 1 else ""
    because = []
    for name in finding.because:
        told = in_line(estimates[name], say, common) if name in estimates else ""
        title = say.title(estimates[name], result.probe) if name in estimates else say.estimate(name, result.probe)
        because.append((harmless(title), harmless_long(told)))
    named = ", ".join(_sample(sample, report) for sample in finding.samples[:SAMPLES_NAMED])
    if len(finding.samples) > SAMPLES_NAMED:
        named += " " + say("ui", "more", count=len(finding.samples) - SAMPLES_NAMED)
    texts = {key: say.texts.part(finding.code, key) for key in ("how", "limits", "helps")}
    return FindingText(
        code=harmless(finding.code),
        severity=finding.severity,
        claim=harmless_long(say.claim(finding)),
        because=tuple(because),
        level=common,
        samples=named,
        command=command(finding, result.params, report, say),
        **texts,
    )


def _answered(finding: Finding, result: Result, report: Report, answer: str, say: Words) -> FindingText:
    """An inconclusive finding for which the gate has decided: its numbers and method under the gate's sentence."""
    told = _finding(finding, result, report, say)
    return dataclasses.replace(told, severity="info", claim=harmless_long(answer), helps="", command="")


def _estimate(estimate: Estimate, probe: str, say: Words) -> EstimateText:
    value, interval, level = shown(estimate, say)
    return EstimateText(
        name=harmless(estimate.name),
        title=harmless(say.title(estimate, probe)),
        value=value,
        interval=interval,
        level=level,
        n=counted(estimate, say),
        unit=harmless(say.texts.entry(estimate.unit, "units")),
        caveat=harmless_long(say.text(estimate.caveat)),
    )
