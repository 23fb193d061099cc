"""The gate: results × thresholds → verdict. It compares intervals, not points, and corrects for the number of
checks."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from probes.errors import ConfigError, did_you_mean
from probes.message import Message, Text, Value
from probes.result import RECIPE, Estimate, Failure, Result, scope_of
from probes.statistics.confidence_level import at_level, p_beyond
from probes.statistics.multiplicity import holm_levels
from probes.texts import texts
from reports.comparison.compare import worsening
from reports.gate.sample_size import what_decides
from reports.gate.thresholds import Gate, Threshold, Waiver
from reports.report import Check, CheckStatus, Comparison, Json, Status, Verdict

BOUNDS = {"max": "gate.max", "min": "gate.min"}
NOT_ESTIMATED = Message("gate.not-estimated")
ONE_SIDED = (("lower", "max"), ("upper", "min"))
"""Combinations in which a one-sided bound can violate a threshold but never establish that it is met."""
NO_REPLICAS = Message("gate.no-replicas")


def judge(
    results: Sequence[Result | Failure],
    gate: Gate,
    *,
    today: datetime.date,
    comparison: Comparison | None = None,
    probes: Mapping[str, Json] | None = None,
) -> Verdict:
    """Entirely within the threshold is pass, entirely beyond is fail, otherwise undecided.

    results     results of the probes that ran
    gate        thresholds, waivers and level
    today       the day on which waivers are judged (UTC)
    comparison  comparison with a baseline, for thresholds relative to one; None, the default, if there is none
    probes      what the run recorded (`recorded`): a probe that it ran, or that the gate requires, without a result or
                a failure is undecided. Without it, only the results count

    A model fails if any check fails, so failing is corrected by Holm's procedure over all checks: a model that is sound
    in every respect fails with probability at most 1 − level. It passes only if every check passes, which needs no
    correction (an intersection–union test, Berger 1982): a model that is unsound in any respect passes with probability
    at most 1 − level. A one-sided bound is judged on its own side and at its own level: it either fails or shows no
    violation.

    Returns the verdict; a threshold of the user's on what its probe could not measure this time is undecided. Raises
    ConfigError for a threshold on a name that its probe has no estimate of, or against a baseline without one, and for
    a waiver without a threshold.

    >>> from reports.example import example_report
    >>> from reports.gate.thresholds import Threshold
    >>> limit = Threshold(probe="example", estimate="checkpoint.held_out_accuracy", direction="min", bound=0.5)
    >>> judge(example_report().results, Gate(thresholds=(limit,)), today=datetime.date(2026, 1, 1)).status
    'pass'
    """
    check_waivers(gate)
    failures = {result.probe: result for result in results if isinstance(result, Failure)}
    found = {result.probe: result for result in results if isinstance(result, Result)}
    missing, off = (set(), set()) if probes is None else _missing(gate, {*found, *failures}, probes)
    why = {name: absent(name, probes or {}) for name in missing}
    asked = [_asked(threshold, found, failures, why, comparison) for threshold in gate.thresholds]
    checks = [*_judged([one for one in asked if isinstance(one, tuple)], found, 1 - gate.level)]
    checks += [one for one in asked if isinstance(one, Check)]
    notes: tuple[Text, ...] = tuple(_failed("gate.probe-failed", failure) for failure in failures.values())
    notes += tuple(Message("gate.switched-off", {"probe": name}) for name in sorted(off))
    notes += tuple(why[name] for name in sorted(why)) + gate.loosened
    checks, expired = _waive(checks, gate.waivers, today)
    return Verdict(
        status=_status(checks, bool(failures), bool(missing)),
        checks=tuple(checks),
        level=gate.level,
        profile=gate.profile,
        on_undecided=gate.on_undecided,
        notes=(*notes, *expired),
    )


def _asked(
    threshold: Threshold,
    found: dict[str, Result],
    failures: Mapping[str, Failure],
    missing: Mapping[str, Message],
    comparison: Comparison | None,
) -> tuple[Threshold, Estimate] | Check | None:
    """The estimate of the threshold; a finished check if there is no estimate to judge; None if none is required.
    Raises ConfigError."""
    if threshold.probe in failures:
        return _unjudged(threshold, "error", _failed("gate.failed", failures[threshold.probe]))
    if threshold.probe in missing:
        return _unjudged(threshold, "undecided", missing[threshold.probe])
    estimate = _find(threshold, found)
    if threshold.against == "baseline" and (estimate is not None or comparison is None):
        estimate = _worsening(threshold, comparison)
    if estimate is not None and estimate.unmeasured:
        because = Message("gate.unmeasured", {"caveat": estimate.caveat or NOT_ESTIMATED})
        return _unjudged(dataclasses.replace(threshold, unit=estimate.unit), "undecided", because)
    if estimate is not None:
        return threshold, estimate
    if _without_replicas(threshold, found):
        return _unjudged(threshold, "undecided", NO_REPLICAS)
    if not threshold.optional:
        return _unjudged(threshold, "undecided", _not_measured(threshold.probe, found))
    return _unjudged(threshold, "undecided", NOT_ESTIMATED) if threshold.required else None


def _judged(judged: Sequence[tuple[Threshold, Estimate]], found: Mapping[str, Result], alpha: float) -> Iterator[Check]:
    """One check for each, corrected together."""
    p_fail = np.array([_p(threshold, estimate, beyond=True) for threshold, estimate in judged])
    p_pass = np.array([_p(threshold, estimate, beyond=False) for threshold, estimate in judged])
    spend_fail = holm_levels(p_fail, alpha)
    doubted = _doubted(found)
    for i, (threshold, estimate) in enumerate(judged):
        spend = Spend(p_fail=float(p_fail[i]), fail=float(spend_fail[i]), p_pass=float(p_pass[i]), passing=alpha)
        yield _check(threshold, estimate, spend, doubted.get(estimate.about, ""), found[threshold.probe].params)


def _doubted(found: Mapping[str, Result]) -> dict[str, str]:
    """By scope, why its estimates decide nothing: replicas that behave otherwise, or too few of them to tell."""
    doubts = [one for result in found.values() for one in result.findings if one.doubts]
    return {
        scope: "gate.cannot-tell" if all(one.severity == "info" for one in doubts if one.doubts == scope)
        else "gate.not-reproduced"
        for scope in {one.doubts for one in doubts}
    }  # fmt: skip


def recorded(
    on: Sequence[str], off: Sequence[str], declined: Sequence[str] = (), lacking: Sequence[str] = ()
) -> dict[str, Json]:
    """For results.json: which probes an audit ran, which were switched off, which do not apply to such models, and
    which lacked samples or a model."""
    states = (("on", on), ("off", off), ("declined", declined), ("lacking", lacking))
    return {name: state for state, names in states for name in sorted(names)}


def absent(probe: str, probes: Mapping[str, Json]) -> Message:
    return Message("gate.lacking" if probes.get(probe) == "lacking" else "gate.absent", {"probe": probe})


def _missing(gate: Gate, there: set[str], probes: Mapping[str, Json]) -> tuple[set[str], set[str]]:
    """(missing although it ran or is required, switched off by the run or by the gate's configuration)."""
    off = {name for name, state in probes.items() if state == "off"} | set(gate.off)
    declined = {name for name, state in probes.items() if state == "declined"}
    ran = set(probes) - off - declined
    asked = {threshold.probe for threshold in gate.thresholds if threshold.optional}
    return (ran | (asked - off - declined)) - there, off - there


def _failed(code: str, failure: Failure) -> Message:
    return Message(code, {"probe": failure.probe, "error": failure.error, "message": failure.message})


def check_waivers(gate: Gate) -> None:
    """Refuses waivers with a wrong name, which would silently waive nothing. Raises ConfigError."""
    checked = {(one.probe, one.estimate) for one in gate.thresholds}
    for waiver in gate.waivers:
        if (waiver.probe, waiver.estimate) not in checked:
            near = did_you_mean(f"{waiver.probe} {waiver.estimate}", (" ".join(one) for one in checked))
            raise ConfigError(f"there is no threshold on {waiver.probe} {waiver.estimate}. {near}", where="waivers")


def _find(threshold: Threshold, found: dict[str, Result]) -> Estimate | None:
    if threshold.probe not in found:
        if threshold.optional:
            return None
        raise ConfigError(
            f"a threshold on probe {threshold.probe!r}, which did not run. {did_you_mean(threshold.probe, found)}",
            where=f"thresholds.{threshold.probe}",
        )
    result = found[threshold.probe]
    names = {estimate.name: estimate for estimate in result.estimates}
    if threshold.estimate in names:
        return names[threshold.estimate]
    known = texts("en").packages.get(threshold.probe, {}).get("estimates", {})
    if threshold.optional or threshold.estimate in known:
        return None
    raise ConfigError(
        f"a threshold on {threshold.estimate!r}, which {threshold.probe} did not produce. "
        f"{did_you_mean(threshold.estimate, names)}",
        where=f"thresholds.{threshold.probe}",
    )


def _worsening(threshold: Threshold, comparison: Comparison | None) -> Estimate:
    """How much worse this estimate is than the baseline's, as an estimate."""
    where = f"thresholds.{threshold.probe}"
    if comparison is None:
        raise ConfigError(
            f"{threshold.estimate!r} must be no worse than a baseline, but there is none.",
            where=where,
            do="Give --baseline OLD/results.json.",
        )
    for difference in comparison.differences:
        if (difference.probe, difference.estimate) == (threshold.probe, threshold.estimate):
            if difference.change.better == "neither":
                raise ConfigError(f"{threshold.estimate!r} has no better direction.", where=where)
            return worsening(difference)
    raise ConfigError(
        f"{threshold.estimate!r} is not in the baseline.", where=where, do="Audit the baseline with the same probes."
    )


def _p(threshold: Threshold, estimate: Estimate, *, beyond: bool) -> float:
    above = (threshold.direction == "max") == beyond
    return p_beyond(estimate, threshold.bound, "above" if above else "below")


@dataclass(frozen=True, kw_only=True)
class Spend:
    """One-sided p-values of both decisions, and the error that each may spend."""

    p_fail: float
    fail: float
    p_pass: float
    passing: float


def _more(threshold: Threshold, estimate: Estimate, spend: Spend, params: Mapping[str, object]) -> Message:
    within = (estimate.value < threshold.bound) == (threshold.direction == "max")
    alpha = spend.passing if within else spend.fail
    return what_decides(estimate, threshold.bound, alpha, threshold.probe, params)


def _check(
    threshold: Threshold, estimate: Estimate, spend: Spend, doubtful: str, params: Mapping[str, object]
) -> Check:
    decided = not doubtful and estimate.caveat is None
    fails, passes = decided and spend.p_fail <= spend.fail, decided and spend.p_pass <= spend.passing
    level = 1 - 2 * (spend.passing if passes else spend.fail)
    if estimate.caveat is None and estimate.low < estimate.high and estimate.bound is None:
        low, high = at_level(estimate, level, difference=threshold.against == "baseline")
    else:
        # Estimates that are undecided at their own level, counts, and one-sided bounds have no other level.
        level, low, high = estimate.level, estimate.low, estimate.high
    silent = decided and (estimate.bound, threshold.direction) in ONE_SIDED
    against = threshold.against == "baseline"
    told: dict[str, Value] = {
        "shown": _shown(estimate, low, high, level, against),
        "threshold": Message("gate.margin" if against else BOUNDS[threshold.direction], {"bound": threshold.bound}),
    }
    status: CheckStatus = "undecided"
    if fails:
        status, because = "fail", Message("gate.beyond", told)
    elif silent:
        status, because = "no-violation", Message("gate.no-violation", told)
    elif passes:
        status, because = "pass", Message("gate.within", told)
    elif doubtful:
        because = Message(doubtful, told)
    elif estimate.caveat is not None:
        because = Message("gate.caveat", {**told, "caveat": estimate.caveat})
    else:
        because = Message("gate.contains", {**told, "more": _more(threshold, estimate, spend, params)})
    return Check(
        probe=threshold.probe,
        estimate=threshold.estimate,
        direction=threshold.direction,
        threshold=threshold.bound,
        status=status,
        value=estimate.value,
        low=low if math.isfinite(low) or estimate.bound is None else None,
        high=high if math.isfinite(high) or estimate.bound is None else None,
        level=level,
        unit=estimate.unit,
        bound=estimate.bound,
        because=because,
        p_fail=spend.p_fail,
        p_pass=spend.p_pass,
        against=threshold.against,
    )


def _shown(estimate: Estimate, low: float, high: float, level: float, against: bool) -> Message:
    """The value with its interval, or as a bound."""
    ends: dict[str, Value] = {"value": estimate.value, "level": level}
    if estimate.bound:
        return Message("gate.bound-worse" if against else "gate.bound", {**ends, "side": f"{estimate.bound} bound"})
    return Message("gate.shown-worse" if against else "gate.shown", {**ends, "low": low, "high": high})


def _without_replicas(threshold: Threshold, found: Mapping[str, Result]) -> bool:
    """Whether the probe ran but said nothing about the recipe: what was not measured has not passed."""
    result = found.get(threshold.probe)
    if result is None or scope_of(threshold.estimate) != RECIPE:
        return False
    return all(one.about != RECIPE and one.name != threshold.unless for one in result.estimates)


def _not_measured(probe: str, found: Mapping[str, Result]) -> Message:
    """Why the probe, which ran, lacks the estimate, as far as the probe says it: limits of the evidence, which all
    results repeat, are no reason."""
    others = [one.notes for name, one in found.items() if name != probe]
    own = [note for note in found[probe].notes if not all(note in notes for notes in others)]
    why: Text = own[0] if own and not found[probe].estimates else Message("gate.section-says")
    return Message("gate.not-measured", {"probe": probe, "why": why})


def _unjudged(threshold: Threshold, status: CheckStatus, because: Message) -> Check:
    return Check(
        probe=threshold.probe,
        estimate=threshold.estimate,
        direction=threshold.direction,
        threshold=threshold.bound,
        status=status,
        value=None,
        low=None,
        high=None,
        level=0.95,
        unit=threshold.unit,
        because=because,
        against=threshold.against,
    )


def _waive(
    checks: list[Check], waivers: tuple[Waiver, ...], today: datetime.date
) -> tuple[list[Check], tuple[Message, ...]]:
    notes, waived = [], []
    for check in checks:
        for waiver in waivers:
            if (waiver.probe, waiver.estimate) != (check.probe, check.estimate) or check.status not in (
                "fail",
                "undecided",
            ):
                continue
            if waiver.expires < today:
                which: dict[str, Value] = {"probe": check.probe, "estimate": check.estimate}
                notes.append(Message("gate.waiver-expired", {**which, "expires": str(waiver.expires)}))
            else:
                told: dict[str, Value] = {
                    "because": check.because,
                    "expires": str(waiver.expires),
                    "reason": waiver.reason,
                }
                reason = Message("gate.waived", told)
                check = dataclasses.replace(check, status="waived", because=reason)
        waived.append(check)
    return waived, tuple(notes)


def _status(checks: Sequence[Check], failures: bool, missing: bool = False) -> Status:
    found = {check.status for check in checks}
    if "fail" in found:
        return "fail"
    if failures or "error" in found:
        return "error"
    # With nothing to compare, or only with bounds that can only fail, nothing is known.
    if "undecided" in found or not found - {"no-violation"} or missing:
        return "undecided"
    return "pass"
