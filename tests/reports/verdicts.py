"""A report of every verdict, and reports with hostile names in them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from probes.result import Estimate, Result
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold, Waiver
from reports.report import Report
from tests.reports.sample import HOSTILE, TODAY, full, sample

CONTROL = "a\x00b\x1b[31m\ud800\ufffe\n::error::x\r%0A,:"


def rejudged(report: Report, **gate: Any) -> Report:
    """Judged by the same thresholds under another gate."""
    bounds = tuple(
        Threshold(probe=c.probe, estimate=c.estimate, direction=c.direction, bound=c.threshold)
        for c in report.verdict.checks
    )
    return dataclasses.replace(
        report, verdict=judge(report.results, Gate(**{"thresholds": bounds, **gate}), today=TODAY)
    )


def waived() -> Report:
    reason = Waiver(probe="overfitting", estimate="recipe.accuracy_gap", reason=HOSTILE, expires=TODAY)
    return rejudged(sample(), waivers=(reason,))


def absent(**gate: Any) -> Report:
    """A sound report of which a result was removed; of one that nothing checks, if there are no thresholds."""
    report = sample(0.02)
    probes = {"overfitting": "on", "membership": "on"}
    needed = Threshold(probe="membership", estimate="recipe.auc", direction="max", bound=0.6, optional=True)
    gap = Threshold(probe="overfitting", estimate="recipe.accuracy_gap", direction="max", bound=0.1)
    whole = Gate(**{"thresholds": (gap, needed), **gate})
    if not whole.thresholds:
        whole = dataclasses.replace(whole, thresholds=(gap,))
    return dataclasses.replace(
        report,
        audit={**report.audit, "probes": probes},
        verdict=judge(report.results, whole, today=TODAY, probes=probes),
    )


def bounds() -> Report:
    """Only a bound that shows no violation."""
    epsilon = Estimate(
        name="epsilon.lower_bound", value=2.0, low=2.0, high=math.inf, n=100, unit="ε", better="lower", bound="lower"
    )
    leakage = Result(probe="membership", params={}, estimates=(epsilon,))
    limit = Threshold(probe="membership", estimate="epsilon.lower_bound", direction="max", bound=10.0)
    return dataclasses.replace(
        sample(), results=(leakage,), verdict=judge((leakage,), Gate(thresholds=(limit,)), today=TODAY)
    )


REPORTS = {
    "fail": sample(),
    "undecided": sample(0.1),
    "pass": sample(0.02),
    "warned": rejudged(sample(0.1), on_undecided="warn"),
    "crashed": sample(failed=True),
    "crashed-only": sample(0.02, failed=True),
    "waived": waived(),
    "unchecked": rejudged(sample(0.02), thresholds=()),
    "unchecked-warned": rejudged(sample(0.02), thresholds=(), on_undecided="warn"),
    "absent": absent(),
    "absent-warned": absent(on_undecided="warn"),
    "incomplete": absent(thresholds=()),
    "bounds": bounds(),
    "full": full(),
    "hostile": full(label=HOSTILE),
    "control": full(label=CONTROL),
}
