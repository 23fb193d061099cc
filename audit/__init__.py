"""Is this fine-tuned model safe to ship? The Python API, and all code with side effects.

    import audit
    report = audit.run("ckpt.pt")
    report.verdict.status

Nothing heavy is imported until a function is accessed.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.api import cache, canaries, finetune, mitigate, plan, populate, run
    from audit.checkpoints.inspect import inspect
    from audit.config.audit_config import check_config
    from audit.config.initial import init
    from audit.config.json_schema import schema
    from audit.evidence.predictions import Predictions
    from audit.results.compare import compare
    from audit.results.export import report
    from audit.results.gate import gate
    from audit.results.history import history
    from audit.results.read import load
    from audit.results.registration import register
    from audit.results.reproduce import reproduce
    from audit.results.signing import sign, verify
    from audit.results.trackers import log
    from audit.results.view import view
    from audit.self_check.check import selfcheck

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
"""Makes OpenMP's threads sleep while they wait for each other. Spinning threads hold up everything else that needs the
processor, and OpenMP reads this only once, when torch is imported. It does not change any number; a value that is
already set is kept."""

os.environ.setdefault("MKL_DISABLE_FAST_MM", "1")
"""Makes MKL allocate as everything else does. Its own lists of free memory have locks, which a thread that ends may
hold while this process forks: they would stay locked in the fork for ever. MKL reads this when torch is
imported; where that was before, this process does not fork (`audit/runtime/forking.py`). Products take as long without
its lists."""

__all__ = [
    "Predictions",
    "cache",
    "canaries",
    "check_config",
    "compare",
    "finetune",
    "gate",
    "history",
    "init",
    "inspect",
    "load",
    "log",
    "mitigate",
    "plan",
    "populate",
    "register",
    "report",
    "reproduce",
    "run",
    "schema",
    "selfcheck",
    "sign",
    "verify",
    "view",
]

_HOMES = {
    "Predictions": "audit.evidence.predictions",
    "cache": "audit.api",
    "canaries": "audit.api",
    "check_config": "audit.config.audit_config",
    "compare": "audit.results.compare",
    "finetune": "audit.api",
    "gate": "audit.results.gate",
    "history": "audit.results.history",
    "init": "audit.config.initial",
    "inspect": "audit.checkpoints.inspect",
    "load": "audit.results.read",
    "log": "audit.results.trackers",
    "mitigate": "audit.api",
    "plan": "audit.api",
    "populate": "audit.api",
    "register": "audit.results.registration",
    "report": "audit.results.export",
    "reproduce": "audit.results.reproduce",
    "run": "audit.api",
    "schema": "audit.config.json_schema",
    "selfcheck": "audit.self_check.check",
    "sign": "audit.results.signing",
    "verify": "audit.results.signing",
    "view": "audit.results.view",
}
_TRAINING = ("audit.api", "audit.checkpoints", "audit.results.reproduce", "audit.self_check")
"""What needs the extra `train`."""


def __getattr__(name: str) -> object:
    """A public name, imported on first access. Raises DependencyError if a package that it needs is not
    installed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name].startswith(_TRAINING):
        from audit.runtime.extras import need

        need("train")
    from audit.runtime.garbage import older_left_alone

    with older_left_alone():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
