"""One line a risk: what was found and how sure, what follows from it, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from probes.result import Failure, Finding, Result
from reports.document.checks import CheckText, why
from reports.document.sections import command
from reports.document.severity import RANK, status_of
from reports.report import Check, Report
from reports.wording.catalogue import Words
from reports.wording.numbers import capitalized, harmless, harmless_long, slug, uncapitalized


@dataclass(frozen=True, kw_only=True)
class Risk:
    anchor: str
    title: str
    status: str
    severity: str
    what: str
    so_what: str
    to_do: str
    command: str
    """One that tries it; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What the evidence of one probe comes to."""

    what: str
    so_what: str
    to_do: str = ""
    command: str = ""
    severity: str = "info"


def risk(result: Result | Failure, report: Report, checks: tuple[CheckText, ...], say: Words) -> Risk:
    """`checks` are those of all probes, as they are shown."""
    status = status_of(result, report)
    line = _failed(result, say) if isinstance(result, Failure) else _found(result, status, report, checks, say)
    return Risk(
        anchor=slug(result.probe),
        title=harmless(say.probe(result.probe, "title")),
        status=status,
        **vars(line),
    )


def _failed(failure: Failure, say: Words) -> Line:
    return Line(
        what=say("ui", "failed", error=harmless(failure.error), message=harmless_long(failure.message)),
        so_what=say.probe(failure.probe, "so_what"),
        to_do=say("ui", "report_defect"),
        severity="high",
    )


def _found(result: Result, status: str, report: Report, checks: tuple[CheckText, ...], say: Words) -> Line:
    so_what = say.probe(result.probe, "so_what")
    fell = [one for one in report.verdict.checks if (one.probe, one.status) == (result.probe, status)]
    about = _about(result, fell)
    if status == "undecided":
        shown = next(one for one in checks if one.name == harmless(f"{fell[0].probe} {fell[0].estimate}"))
        return Line(
            what=harmless_long(say.claim(about)) if about else _unsettled(shown, say),
            so_what=say("ui", "unsettled", so_what=uncapitalized(so_what)),
            to_do=why(fell[0], say),
            severity=about.severity if about else "info",
        )
    worst = about if status == "fail" and about else _gravest(result.findings)
    if worst is None:
        return Line(what=say("ui", "nothing"), so_what=say("ui", "fine") if status == "pass" else "")
    grave = RANK[worst.severity] > 0
    return Line(
        what=harmless_long(say.claim(worst)),
        so_what=so_what if grave else say("ui", "fine") if status == "pass" else "",
        to_do=str(say.find("findings", worst.code, "helps") or "") if grave else "",
        command=command(worst, result.params, say) if grave else "",
        severity=worst.severity,
    )


def _gravest(findings: Iterable[Finding]) -> Finding | None:
    return max(findings, key=lambda finding: RANK[finding.severity], default=None)


def _about(result: Result, fell: list[Check]) -> Finding | None:
    """The gravest finding that rests on what fell, of this model or of its recipe, so that the line says why."""

    def metric(name: str) -> str:
        return name.removeprefix("checkpoint.").removeprefix("recipe.")

    named = {metric(one.estimate) for one in fell}
    return _gravest(one for one in result.findings if RANK[one.severity] and named & {metric(n) for n in one.because})


def _unsettled(check: CheckText, say: Words) -> str:
    return say(
        "ui",
        "open",
        estimate=capitalized(check.title),
        value=check.value,
        interval=check.interval,
        threshold=check.threshold,
    )
