"""An estimate in readable form: its value, its interval, and n with what it counts."""

from __future__ import annotations

from probes.result import Bound, Estimate
from reports.wording.catalogue import Words
from reports.wording.numbers import grouped, harmless, percent, quantity, together


def interval_of(
    value: float, low: float, high: float, unit: str, bound: Bound | None, say: Words
) -> tuple[str, str, bool]:
    """Value, interval, and whether it is exact, that is counted rather than estimated."""
    if bound is not None:
        return quantity(value, unit), say("ui", f"{bound}_bound"), False
    shown, lower, upper = together(value, low, high, unit)
    if low == high:
        return shown, say("ui", "exact"), True
    return shown, between(lower, upper, say), False


def between(low: str, high: str, say: Words) -> str:
    """Both ends, with the unit only after the second; one number if they read the same."""
    if low == high:
        return high
    unit = next((unit for unit in (" %", " pp") if high.endswith(unit)), "")
    return say("ui", "between", low=low.removesuffix(unit), high=high)


def shown(estimate: Estimate, say: Words) -> tuple[str, str, str]:
    """Value, interval, and the interval's level; the last is empty if there is no interval. What was not measured has
    no number, because its interval is the whole range of possible values."""
    if estimate.unmeasured:
        return "–", say("ui", "unmeasured"), ""
    value, interval, exact = interval_of(
        estimate.value, estimate.low, estimate.high, estimate.unit, estimate.bound, say
    )
    return value, interval, "" if exact else percent(estimate.level)


def in_line(estimate: Estimate, say: Words, common: str = "") -> str:
    """Everything in brackets after the value, with the level unless it is common to all."""
    value, interval, level = shown(estimate, say)
    told = say("ui", "at", interval=interval, level=level) if level not in ("", common) else interval
    return say("ui", "shown", value=value, interval=told, n=counted(estimate, say))


def counted(estimate: Estimate, say: Words) -> str:
    """n, with what it counts."""
    what = say.texts.entry(estimate.counted, "counted")
    return f"{grouped(estimate.n)} {harmless(what)}".strip()
