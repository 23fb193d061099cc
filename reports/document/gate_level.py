"""One interval per estimate in a report: that of the gate, if the gate judged it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from probes.message import Value
from probes.result import Estimate, Finding, Result
from reports.report import Check, Report


def at_gate_level(report: Report) -> Report:
    """The report with every estimate that has a threshold at the level at which the gate judged it, and with these ends
    in the claims that quote them. Files keep each probe's own level, from which any gate can judge again."""
    checks = {
        (one.probe, one.estimate): one
        for one in report.verdict.checks
        if one.against == "threshold" and one.bound is None and None not in (one.value, one.low, one.high)
    }
    results = tuple(
        _result(one, {name: check for (probe, name), check in checks.items() if probe == one.probe})
        if isinstance(one, Result)
        else one
        for one in report.results
    )
    return dataclasses.replace(report, results=results)


def _result(result: Result, checks: Mapping[str, Check]) -> Result:
    old = {one.name: one for one in result.estimates}
    new = {name: _estimate(one, checks[name]) if name in checks else one for name, one in old.items()}
    moved = {name for name in checks if name in old and old[name].level != new[name].level}
    findings = tuple(_finding(one, old, new, moved & {*one.because}) for one in result.findings)
    return dataclasses.replace(result, estimates=tuple(new.values()), findings=findings)


def _estimate(estimate: Estimate, check: Check) -> Estimate:
    low, high = check.low, check.high
    if estimate.bound is not None:
        return estimate  # its other end is open; this check is of a file that was changed, or of an older version
    if low is None or high is None or not low <= estimate.value <= high or check.value != estimate.value:
        return estimate  # judged from a file that was changed
    return dataclasses.replace(estimate, low=low, high=high, level=check.level)


def _finding(finding: Finding, old: Mapping[str, Estimate], new: Mapping[str, Estimate], moved: set[str]) -> Finding:
    """Values that are bit-identical to an end of an estimate's interval are replaced by that end at the other level."""
    ends: dict[float, float] = {}
    for name in sorted(moved):
        ends |= {old[name].low: new[name].low, old[name].high: new[name].high}
        ends.pop(old[name].value, None)  # an end that equals the value is kept
    values: dict[str, Value] = {
        key: ends.get(value, value) if isinstance(value, float) and math.isfinite(value) else value
        for key, value in finding.values.items()
    }
    return dataclasses.replace(finding, values=values)
