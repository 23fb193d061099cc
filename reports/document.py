"""One outline for all formats: what the report says, in order, before anybody draws it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from probes.result import Estimate, Failure, Figure, Finding, Result
from reports.language import Words, words
from reports.numbers import harmless, interval, quantity, visible
from reports.report import Check, Report

RANK = {"critical": 4, "high": 3, "medium": 2, "low": 1, "info": 0}
SAMPLES_NAMED = 12
ORDER = ("fail", "error", "undecided", "waived", "pass", "info")
"""The gravest first: of checks in a probe, and of probes in the report."""


@dataclass(frozen=True, kw_only=True)
class FindingText:
    severity: str
    claim: str
    because: tuple[str, ...]
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
    n: int
    unit: str
    caveat: str


@dataclass(frozen=True, kw_only=True)
class CheckText:
    status: str
    probe: str
    title: str
    name: str
    value: str
    interval: str
    threshold: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Risk:
    """One line: what, how sure, so what, what to do."""

    probe: str
    title: str
    status: str
    severity: str
    what: str
    so_what: str
    to_do: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    probe: str
    title: str
    question: str
    failure: str
    findings: tuple[FindingText, ...]
    estimates: tuple[EstimateText, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    method: str
    citations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    title: str
    status: str
    sentence: str
    risks: tuple[Risk, ...]
    checks: tuple[CheckText, ...]
    sections: tuple[Section, ...]
    provenance: tuple[tuple[str, str], ...]
    recipe: str
    notes: tuple[str, ...]
    words: Words


def outline(report: Report, lang: str = "en") -> Document:
    """The whole report as text and figures, in one language."""
    say = words(lang)
    results = sorted(report.results, key=lambda result: ORDER.index(_status(result, report)))
    return Document(
        title=say("ui", "title", name=harmless(report.model.get("name", "a model"))),
        status=report.verdict.status,
        sentence=_sentence(report, say),
        risks=tuple(_risk(result, report, say) for result in results),
        checks=tuple(_check(check, say) for check in report.verdict.checks),
        sections=tuple(_section(result, say) for result in results),
        provenance=tuple(_provenance(report)),
        recipe=visible(json.dumps(report.model.get("recipe", {}), indent=2, ensure_ascii=False, sort_keys=True)),
        notes=tuple(harmless(note) for note in report.verdict.notes),
        words=say,
    )


def _sentence(report: Report, say: Words) -> str:
    status, checks = report.verdict.status, report.verdict.checks
    if not checks and status != "error":
        return say("ui", "nochecks")
    named = [check for check in checks if check.status == status]
    names = ", ".join(f"{say.probe(c.probe, 'title')}: {say.estimate(c.estimate)}" for c in named)
    return say("verdict", status, count=len(named), total=len(checks), names=names)


def _status(result: Result | Failure, report: Report) -> str:
    """The gravest of the probe's checks."""
    if isinstance(result, Failure):
        return "error"
    statuses = [check.status for check in report.verdict.checks if check.probe == result.probe]
    return next((status for status in ORDER if status in statuses), "info")


def _risk(result: Result | Failure, report: Report, say: Words) -> Risk:
    status = _status(result, report)
    title, so_what = say.probe(result.probe, "title"), say.probe(result.probe, "so_what")
    if isinstance(result, Failure):
        what = say("ui", "failed", error=harmless(result.error), message=harmless(result.message))
        return Risk(
            probe=result.probe, title=title, status="error", severity="high", what=what, so_what=so_what, to_do=""
        )
    worst = max(result.findings, key=lambda finding: RANK[finding.severity], default=None)
    return Risk(
        probe=result.probe,
        title=title,
        status=status,
        severity=worst.severity if worst else "info",
        what=harmless_long(say.claim(worst)) if worst else "",
        so_what=so_what if worst and RANK[worst.severity] > 0 else "",
        to_do=str(say.find("findings", worst.code, "helps") or "") if worst and RANK[worst.severity] > 0 else "",
    )


def _check(check: Check, say: Words) -> CheckText:
    shown = f"{quantity(check.low, check.unit)} to {quantity(check.high, check.unit)} at {check.level:.1%}"
    return CheckText(
        status=check.status,
        probe=say.probe(check.probe, "title"),
        title=harmless(say.estimate(check.estimate)),
        name=harmless(f"{check.probe} {check.estimate}"),
        value=quantity(check.value, check.unit),
        interval=shown if check.low is not None else "–",
        threshold=f"{check.direction} {quantity(check.threshold, check.unit)}",
        because=harmless_long(check.because),
    )


def _section(result: Result | Failure, say: Words) -> Section:
    failure = ""
    findings: tuple[FindingText, ...] = ()
    estimates: tuple[EstimateText, ...] = ()
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    if isinstance(result, Failure):
        failure = say("ui", "failed", error=harmless(result.error), message=harmless(result.message))
    else:
        ranked = sorted(result.findings, key=lambda finding: -RANK[finding.severity])
        units = {estimate.name: estimate for estimate in result.estimates}
        findings = tuple(_finding(finding, units, say) for finding in ranked)
        estimates = tuple(_estimate(estimate, say) for estimate in result.estimates)
        figures, notes = result.figures, tuple(harmless_long(note) for note in result.notes)
    citations = say.find("probes", result.probe, "citations") or ()
    return Section(
        probe=result.probe,
        title=say.probe(result.probe, "title"),
        question=say.probe(result.probe, "question"),
        failure=failure,
        findings=findings,
        estimates=estimates,
        figures=figures,
        notes=notes,
        method=say.probe(result.probe, "method"),
        citations=tuple(str(one) for one in citations),
    )


def _finding(finding: Finding, estimates: Mapping[str, Estimate], say: Words) -> FindingText:
    because = []
    for name in finding.because:
        shown = say.estimate(name)
        if name in estimates:
            one = estimates[name]
            shown = f"{shown}: {quantity(one.value, one.unit)} ({interval(one)}, n = {one.n})"
        because.append(harmless_long(shown))
    named = ", ".join(str(sample) for sample in finding.samples[:SAMPLES_NAMED])
    if len(finding.samples) > SAMPLES_NAMED:
        named += " " + say("ui", "more", count=len(finding.samples) - SAMPLES_NAMED)
    texts = {key: str(say.find("findings", finding.code, key) or "") for key in ("how", "limits", "helps", "command")}
    return FindingText(
        severity=finding.severity,
        claim=harmless_long(say.claim(finding)),
        because=tuple(because),
        samples=named,
        **texts,
    )


def _estimate(estimate: Estimate, say: Words) -> EstimateText:
    return EstimateText(
        name=harmless(estimate.name),
        title=harmless(say.estimate(estimate.name)),
        value=quantity(estimate.value, estimate.unit),
        interval=interval(estimate),
        level=f"{estimate.level:.4g}",
        n=estimate.n,
        unit=harmless("share" if estimate.unit == "fraction" else estimate.unit),
        caveat=harmless_long(estimate.caveat or ""),
    )


def _provenance(report: Report) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = [("tool", f"{report.tool} {report.version}")]
    for part, content in (("model", report.model), ("data", report.data), ("audit", report.audit)):
        for key, value in content.items():
            if key == "recipe":
                continue
            if isinstance(value, Mapping):
                text = ", ".join(f"{name} {item}" for name, item in value.items())
            elif isinstance(value, list):
                text = ", ".join(harmless(item) for item in value[:20])
            else:
                text = str(value)
            found.append((f"{part}: {harmless(key)}", harmless_long(text)))
    return found


def harmless_long(text: object) -> str:
    """As `harmless`, but whole sentences: cut at 1,000 characters."""
    pieces = [harmless(piece) for piece in str(text)[:1000].split(" ")]
    return " ".join(piece for piece in pieces if piece)
