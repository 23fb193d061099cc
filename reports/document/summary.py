"""One line per risk: what was found and with what certainty, its consequences, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from probes.result import Failure, Finding, Result
from reports.document.absent import Absent
from reports.document.checks import CheckText, decides, judged, text_of, why
from reports.document.next_steps import command
from reports.document.own_notes import own_notes
from reports.document.severity import RANK, status_of
from reports.report import Check, Report
from reports.wording.catalogue import Words
from reports.wording.numbers import capitalized, harmless, harmless_long, slug, uncapitalized

SOUND = ("pass", "no-violation", "waived")
NAMED = 3
"""Number of failed or undecided checks on a risk's line; the table of checks has them all."""


@dataclass(frozen=True, kw_only=True)
class Risk:
    anchor: str
    title: str
    status: str
    severity: str
    what: str
    also: str
    """A finding that rests on other estimates than the gate's; empty if there is none."""
    so_what: str
    to_do: str
    command: str
    """A command that tries it; empty if there is none."""


@dataclass(frozen=True, kw_only=True)
class RiskLine:
    """The conclusion from one probe's evidence."""

    what: str
    so_what: str
    also: str = ""
    to_do: str = ""
    command: str = ""
    severity: str = "info"


def risk(result: Result | Failure | Absent, report: Report, checks: tuple[CheckText, ...], say: Words) -> Risk:
    """`checks` are those of all probes, as they are shown."""
    status = status_of(result, report)
    line = (
        _without(result, say) if isinstance(result, Failure | Absent) else _found(result, status, report, checks, say)
    )
    return Risk(
        anchor=slug(result.probe),
        title=harmless(say.probe(result.probe, "title")),
        status=status,
        **vars(line),
    )


def _without(failure: Failure | Absent, say: Words) -> RiskLine:
    if isinstance(failure, Absent):
        return RiskLine(
            what=say("ui", "lacking" if failure.lacking else "absent"),
            so_what=say("ui", "unknown"),
            to_do=say("ui", "give_it" if failure.lacking else "run_it"),
            severity="high",
        )
    return RiskLine(
        what=say("ui", "failed", error=harmless(failure.error), message=harmless_long(failure.message)),
        so_what=say.probe(failure.probe, "so_what"),
        to_do=say("ui", "report_defect"),
        severity="high",
    )


def _found(result: Result, status: str, report: Report, checks: tuple[CheckText, ...], say: Words) -> RiskLine:
    """The gate's decision, at its level and in its unit; a finding that rests on other estimates has its own line."""
    decisive = [one for one in report.verdict.checks if (one.probe, one.status) == (result.probe, status)]
    if not decisive:
        return _unjudged(result, report, say)
    so_what = say.probe(result.probe, "so_what")
    about = _about(result, decisive)
    aside = _gravest(
        one
        for one in result.findings
        if RANK[one.severity]
        and not {c.estimate for c in decisive} & {*one.because}
        and decides(one, result.probe, report, say) is None
    )
    line = RiskLine(
        what=_decided(decisive, status, checks, say),
        also=harmless_long(say.claim(aside)) if aside else "",
        so_what=say("ui", "fine") if status in SOUND else so_what,
        severity=about.severity if about else "info",
    )
    if status == "undecided":
        return replace(line, so_what=say("ui", "unsettled", so_what=uncapitalized(so_what)), to_do=_open(decisive, say))
    to_try = _gravest(one for one in (about, aside) if one) if status not in SOUND else aside
    if to_try is None:
        return line
    helps = say.texts.part(to_try.code, "helps")
    return replace(line, to_do=helps, command=command(to_try, result.params, report, say))


def _unjudged(result: Result, report: Report, say: Words) -> RiskLine:
    """The findings, if no threshold applies."""
    worst = _gravest(result.findings)
    if worst is None:
        code = "nothing" if result.estimates else "not_measured"
        return RiskLine(what=say("ui", code, why=_own_note(result, report, say)).rstrip(), so_what="")
    grave = RANK[worst.severity] > 0
    return RiskLine(
        what=harmless_long(say.claim(worst)),
        so_what=say.probe(result.probe, "so_what") if grave else "",
        to_do=say.texts.part(worst.code, "helps") if grave else "",
        command=command(worst, result.params, report, say) if grave else "",
        severity=worst.severity,
    )


def _own_note(result: Result, report: Report, say: Words) -> str:
    """The first, or empty if there is none."""
    return next(iter(own_notes(result, report, say)), "")


def _decided(decisive: list[Check], status: str, checks: tuple[CheckText, ...], say: Words) -> str:
    """The checks that decided it, each with its numbers; of those that pass, the one closest to its threshold."""
    ranked = sorted(decisive, key=lambda one: -(one.p_pass or 0.0)) if status in SOUND else decisive
    named = ranked[:1] if status in SOUND else ranked[:NAMED]
    told = [judged(text_of(one, checks), say) for one in named]
    if len(decisive) > len(named) and status not in SOUND:
        told.append(say("ui", "more", count=len(decisive) - len(named)))
    return harmless_long(say("ui", "space").join(told))


def _open(decisive: list[Check], say: Words) -> str:
    """What would decide each of the undecided checks."""
    unmeasured = all(one.value is None for one in decisive)
    if len(decisive) == 1 or (unmeasured and len({why(one, say) for one in decisive}) == 1):
        return why(decisive[0], say)
    return say("ui", "space").join(
        say("ui", "for_check", estimate=capitalized(say.estimate(one.estimate, one.probe)), why=why(one, say))
        for one in decisive
    )


def _gravest(findings: Iterable[Finding]) -> Finding | None:
    return max(findings, key=lambda finding: RANK[finding.severity], default=None)


def _about(result: Result, decisive: list[Check]) -> Finding | None:
    """The most severe finding that rests on what the checks are about, for its remedy."""
    named = {one.estimate for one in decisive}
    return _gravest(one for one in result.findings if RANK[one.severity] and named & set(one.because))
