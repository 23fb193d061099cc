"""Pure functions of results: the gate, comparisons, the archive and every report format.

Imports probes, but nothing from audit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.archive import dump
    from reports.comparison.compare import compare
    from reports.formats.base import Announcement, Format, Style
    from reports.gate.judge import judge
    from reports.gate.thresholds import Gate, Threshold, Waiver
    from reports.report import Check, Comparison, Difference, Report, Verdict

__all__ = [
    "Announcement",
    "Check",
    "Comparison",
    "Difference",
    "Format",
    "Gate",
    "Report",
    "Style",
    "Threshold",
    "Verdict",
    "Waiver",
    "compare",
    "dump",
    "judge",
]

_HOMES = {
    "Announcement": "reports.formats.base",
    "Check": "reports.report",
    "Comparison": "reports.report",
    "Difference": "reports.report",
    "Format": "reports.formats.base",
    "Gate": "reports.gate.thresholds",
    "Report": "reports.report",
    "Style": "reports.formats.base",
    "Threshold": "reports.gate.thresholds",
    "Verdict": "reports.report",
    "Waiver": "reports.gate.thresholds",
    "compare": "reports.comparison.compare",
    "dump": "reports.archive",
    "judge": "reports.gate.judge",
}


def __getattr__(name: str) -> object:
    """A public name, imported on first access."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
