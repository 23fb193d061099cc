"""Configurations with few replicas."""

from __future__ import annotations

from typing import Any

FEW: dict[str, Any] = {
    "probes": {
        "membership": {"repeats": 2, "inside": False},
        "overfitting": {"repeats": 2, "learning_curve": False, "capacity": False, "linear_probe": False},
        "drift": {"enabled": False},
        "contamination": {"enabled": False},
    }
}
CHEAP: dict[str, Any] = {"probes": FEW["probes"] | {"membership": {"enabled": False}}}
ONE: dict[str, Any] = {"probes": CHEAP["probes"] | {name: {"enabled": False} for name in ("forgetting", "inheritance")}}
"""Overfitting, and what the data's kind alone decides."""
