"""The gate's checks as text: one line per check, with a gauge."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from probes.message import Message
from probes.result import Finding
from reports.document.severity import ORDER
from reports.report import Check, Report
from reports.wording.catalogue import Words
from reports.wording.estimates import counted, interval_of
from reports.wording.numbers import UNKNOWN, capitalized, harmless, harmless_long, percent, quantity, slug

OPEN: Mapping[str, Literal["left", "right"]] = {"lower": "right", "upper": "left"}


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A check as a line from 0 to 100: the positions of interval, value and threshold, and the allowed side."""

    low: float
    value: float
    high: float
    threshold: float
    allowed: tuple[float, float]
    open: Literal["", "left", "right"] = ""
    """The open end of a one-sided bound."""


@dataclass(frozen=True, kw_only=True)
class CheckText:
    anchor: str
    status: str
    probe: str
    title: str
    name: str
    against: str
    value: str
    interval: str
    level: str
    """Empty if there is no interval."""
    n: str
    threshold: str
    because: str
    gauge: Gauge | None


def checks(report: Report, say: Words) -> tuple[CheckText, ...]:
    """Most severe first."""
    sizes = _sizes(report, say)
    ranked = sorted(report.verdict.checks, key=lambda check: ORDER.index(check.status))
    return tuple(
        _check(check, sizes.get((check.against, check.probe, check.estimate), UNKNOWN), say) for check in ranked
    )


def _sizes(report: Report, say: Words) -> Mapping[tuple[str, str, str], str]:
    """n of each check, by what it is checked against, probe and estimate."""
    sizes = {
        ("threshold", result.probe, one.name): counted(one, say)
        for result in report.results
        for one in getattr(result, "estimates", ())
    }
    for one in report.comparison.differences if report.comparison else ():
        sizes["baseline", one.probe, one.estimate] = counted(one.change, say)
    return sizes


def _check(check: Check, n: str, say: Words) -> CheckText:
    value, between, level = quantity(check.value, check.unit), UNKNOWN, ""
    if check.value is not None:
        low, high = _ends(check)
        value, between, exact = interval_of(check.value, low, high, check.unit, check.bound, say)
        level = "" if exact else percent(check.level)
    told = say.find("check", check.status)
    return CheckText(
        anchor=slug(check.probe),
        status=check.status,
        probe=harmless(say.probe(check.probe, "title")),
        title=harmless(_judged(check, say)),
        name=harmless(f"{check.probe} {check.estimate}"),
        against=check.against,
        value=value,
        interval=between,
        level=level,
        n=n,
        threshold=f"{'≤' if check.direction == 'max' else '≥'} {quantity(check.threshold, check.unit)}",
        because=str(told) if told and check.against == "threshold" else why(check, say),
        gauge=_gauge(check),
    )


def judged(check: CheckText, say: Words) -> str:
    """The check in one sentence: its result, its numbers at its level, and what is allowed."""
    interval = say("ui", "at", interval=check.interval, level=check.level) if check.level else check.interval
    return say(
        "ui",
        "judged_unmeasured" if check.value == UNKNOWN else "judged",
        status=capitalized(say("status", check.status)),
        estimate=check.title,
        value=check.value,
        interval=interval,
        threshold=check.threshold,
    )


def text_of(check: Check, texts: tuple[CheckText, ...]) -> CheckText:
    """This check among those shown."""
    name, against = harmless(f"{check.probe} {check.estimate}"), check.against
    return next(one for one in texts if (one.name, one.against) == (name, against))


def decides(finding: Finding, probe: str, report: Report, say: Words) -> Check | None:
    """The check that passed or failed on the estimate about which the finding is inconclusive: the gate has another
    threshold and level, and its decision takes precedence."""
    if not (say.find("findings", finding.code, "open") and finding.because):
        return None
    return next(
        (
            one
            for one in report.verdict.checks
            if (one.probe, one.estimate, one.against) == (probe, finding.because[0], "threshold")
            and one.status in ("pass", "fail")
        ),
        None,
    )


def why(check: Check, say: Words) -> str:
    """The reason without numbers, for display beside them."""
    return harmless_long(capitalized(say.text(_beside(check.because, say))))


def _beside(text: Any, say: Words) -> Any:
    if not isinstance(text, Message):
        return text
    short = Message(f"{text.code}.beside", {name: _beside(value, say) for name, value in text.values.items()})
    return short if say.texts.says(short) else text


def _judged(check: Check, say: Words) -> str:
    """The subject of the check: the estimate, or how much worse it is than the baseline's."""
    title = say.estimate(check.estimate, check.probe)
    return title if check.against == "threshold" else say("ui", "worsening", estimate=title)


def _gauge(check: Check) -> Gauge | None:
    if check.value is None:
        return None
    low, value, high = (float(one) for one in (_ends(check)[0], check.value, _ends(check)[1]))
    if check.bound is not None:
        low = high = value
    if not all(math.isfinite(one) for one in (low, value, high, check.threshold)):
        return None
    left, right = min(low, check.threshold), max(high, check.threshold)
    reach = max(right - left, 1e-9)
    left, right = left - 0.12 * reach, right + 0.12 * reach

    def place(one: float) -> float:
        return round(100 * (one - left) / (right - left), 2)

    bound = place(check.threshold)
    allowed = (0.0, bound) if check.direction == "max" else (bound, 100.0)
    ends = {"low": place(low), "high": place(high)}
    ends |= {"lower": {"high": 100.0}, "upper": {"low": 0.0}}.get(check.bound or "", {})
    return Gauge(value=place(value), threshold=bound, allowed=allowed, open=OPEN.get(check.bound or "", ""), **ends)


def _ends(check: Check) -> tuple[float, float]:
    """None is the open end of a bound."""
    return -math.inf if check.low is None else check.low, math.inf if check.high is None else check.high
