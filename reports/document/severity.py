"""The order of severity of findings, checks and probes."""

from __future__ import annotations

from probes.result import Failure, Result
from reports.document.absent import Absent
from reports.report import Report

RANK = {"critical": 4, "high": 3, "medium": 2, "low": 1, "info": 0}
ORDER = ("fail", "error", "undecided", "waived", "no-violation", "pass", "info")
"""Most severe first: checks within a probe, and probes within the report."""


def status_of(result: Result | Failure | Absent, report: Report) -> str:
    """The most severe of the probe's checks."""
    if isinstance(result, Failure):
        return "error"
    statuses = [check.status for check in report.verdict.checks if check.probe == result.probe]
    otherwise = "undecided" if isinstance(result, Absent) else "info"
    return next((status for status in ORDER if status in statuses), otherwise)
