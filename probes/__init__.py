"""Probes: pure functions from evidence to results, and the interfaces for writing further probes.

Imports nothing from reports or audit. The risks do not import each other; what several need is in measures and
statistics.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probes.answers import Answers
    from probes.errors import AuditError, InputError, PluginError
    from probes.evidence import Evidence
    from probes.observable import Observable, Observation
    from probes.plan import Design, Plan, Rivals, Row, Seeds, Shuffled, Sizes, Splits, Subsamples
    from probes.pool import Pool
    from probes.population import Population
    from probes.predictions import evidence_of
    from probes.probe import Probe
    from probes.registry import Registry
    from probes.result import Chart, Estimate, Failure, Figure, Finding, Gallery, Result, Table

__all__ = [
    "Answers",
    "AuditError",
    "Chart",
    "Design",
    "Estimate",
    "Evidence",
    "Failure",
    "Figure",
    "Finding",
    "Gallery",
    "InputError",
    "Observable",
    "Observation",
    "Plan",
    "PluginError",
    "Pool",
    "Population",
    "Probe",
    "Registry",
    "Result",
    "Rivals",
    "Row",
    "Seeds",
    "Shuffled",
    "Sizes",
    "Splits",
    "Subsamples",
    "Table",
    "evidence_of",
]

_HOMES = {
    "Answers": "probes.answers",
    "AuditError": "probes.errors",
    "Chart": "probes.result",
    "Design": "probes.plan",
    "Estimate": "probes.result",
    "Evidence": "probes.evidence",
    "Failure": "probes.result",
    "Figure": "probes.result",
    "Finding": "probes.result",
    "Gallery": "probes.result",
    "InputError": "probes.errors",
    "Observable": "probes.observable",
    "Observation": "probes.observable",
    "Plan": "probes.plan",
    "PluginError": "probes.errors",
    "Pool": "probes.pool",
    "Population": "probes.population",
    "Probe": "probes.probe",
    "Registry": "probes.registry",
    "Result": "probes.result",
    "Rivals": "probes.plan",
    "Row": "probes.plan",
    "Seeds": "probes.plan",
    "Shuffled": "probes.plan",
    "Sizes": "probes.plan",
    "Splits": "probes.plan",
    "Subsamples": "probes.plan",
    "Table": "probes.result",
    "evidence_of": "probes.predictions",
}


def __getattr__(name: str) -> object:
    """A public name, imported on first access."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
