"""Probes that the gate requires and of which the report has no result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reports.report import Report


@dataclass(frozen=True, kw_only=True)
class Absent:
    """A probe that did not run, or whose result was removed; `lacking`: because there were no samples or no model for
    it."""

    probe: str
    lacking: bool = False


def absent_of(report: Report) -> tuple[Absent, ...]:
    """Those that the audit ran by its own record, and those that a check needs, by name."""
    there = {result.probe for result in report.results}
    recorded = report.audit.get("probes")
    states = dict(recorded) if isinstance(recorded, Mapping) else {}
    ran = {name for name, state in states.items() if state in ("on", "lacking")}
    needed = {check.probe for check in report.verdict.checks}
    return tuple(Absent(probe=name, lacking=states.get(name) == "lacking") for name in sorted((ran | needed) - there))
