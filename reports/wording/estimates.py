"""An estimate as people read it: its value, its interval, and how many of what it rests on."""

from __future__ import annotations

from probes.result import Estimate
from reports.wording.catalogue import Words
from reports.wording.numbers import grouped, harmless, percent, together

BOUNDS = ("epsilon.lower_bound", "epsilon.gaussian_lower_bound")
"""Estimates that are one end of an interval, of a confidence that is theirs."""


def interval_of(name: str, value: float, low: float, high: float, unit: str, say: Words) -> tuple[str, str, bool]:
    """Value, interval, and whether it is exact: counted, or stated by somebody, and not estimated."""
    shown, lower, upper = together(value, low, high, unit)
    if name in BOUNDS:
        return shown, say("ui", "bound"), False
    if low == high:
        return shown, say("ui", "exact"), True
    return shown, between(lower, upper, say), False


def between(low: str, high: str, say: Words) -> str:
    """Both ends, with the percent sign behind the second alone."""
    return say("ui", "between", low=low.removesuffix(" %") if high.endswith(" %") else low, high=high)


def shown(estimate: Estimate, say: Words) -> tuple[str, str, str]:
    """Value, interval, and the interval's level; the last is empty where there is no interval."""
    value, interval, exact = interval_of(estimate.name, estimate.value, estimate.low, estimate.high, estimate.unit, say)
    return value, interval, "" if exact else percent(estimate.level)


def in_line(estimate: Estimate, say: Words, common: str = "") -> str:
    """All of it in brackets behind the value; the level unless it is the one that all have in common."""
    value, interval, level = shown(estimate, say)
    told = say("ui", "at", interval=interval, level=level) if level not in ("", common) else interval
    return say("ui", "shown", value=value, interval=told, n=counted(estimate, say))


def counted(estimate: Estimate, say: Words) -> str:
    """n, with what it counts."""
    what = str(say.find("counted", estimate.counted) or estimate.counted)
    return f"{grouped(estimate.n)} {harmless(what)}".strip()
