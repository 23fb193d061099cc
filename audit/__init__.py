"""Is this fine-tuned model safe to ship? The imperative shell and the Python API.

    import audit
    report = audit.run("ckpt.pt")
    report.verdict.status

Nothing heavy is imported before a function is asked for.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.api import canaries, finetune, mitigate, plan, populate, run
    from audit.config.initial import init
    from audit.evidence.predictions import Predictions
    from audit.results.export import report
    from audit.results.gate import gate
    from audit.results.history import history
    from audit.results.read import load
    from reports.comparison.compare import compare

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
"""OpenMP's threads sleep while they wait for each other. Spinning ones hold up whatever else needs the processor, and
OpenMP reads this only once, when torch is imported. It changes no number; a value set before stays."""

__all__ = [
    "Predictions",
    "canaries",
    "compare",
    "finetune",
    "gate",
    "history",
    "init",
    "load",
    "mitigate",
    "plan",
    "populate",
    "report",
    "run",
]

_HOMES = {
    "Predictions": "audit.evidence.predictions",
    "canaries": "audit.api",
    "compare": "reports.comparison.compare",
    "finetune": "audit.api",
    "gate": "audit.results.gate",
    "history": "audit.results.history",
    "init": "audit.config.initial",
    "load": "audit.results.read",
    "mitigate": "audit.api",
    "plan": "audit.api",
    "populate": "audit.api",
    "report": "audit.results.export",
    "run": "audit.api",
}


def __getattr__(name: str) -> object:
    """A public name, imported where it lives. Raises DependencyError where what it needs is not installed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name] == "audit.api":
        from audit.extras import need

        need("train")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
