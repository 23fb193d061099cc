"""Attributes of estimates and findings that older results.json files omit, because they were then derived from names.

A file contains only what differs from these defaults, so that files of identical audits stay identical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.message import Message
from probes.pairing import Pairing
from probes.result import RECIPE, Bound, scope_of

AIDS = ("attack", "ceiling", "control", "fidelity", "floor", "guessing")
"""Scopes of estimates that help to interpret others."""
DOUBTS = {"membership.infidelity": RECIPE}
"""Defaults by the code of a finding."""


def _share(part: str, less: str = "") -> Mapping[str, Any]:
    return {"pairing": Pairing(statistic="share", columns=("overfitting.correct",), part=part, less=less)}


def _folds(part: str, less: str = "") -> Pairing:
    return Pairing(statistic="fold mean", columns=("folds",), part=part, less=less)


ESTIMATES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("contamination", "contaminated_share"): {"decided_by": Message("gate.take-copies-out")},
    ("drift", "checkpoint.drift_index"): {"tradeoff": "risk"},
    ("membership", "checkpoint.auc"): {
        "pairing": Pairing(statistic="auc", columns=("membership.attack_score",), part="member", less="held_out")
    },
    ("membership", "recipe.auc"): {"tradeoff": "risk"},
    ("membership", "recipe.tpr_at_1pct_fpr"): {"tradeoff": "risk"},
    ("overfitting", "checkpoint.train_accuracy"): _share("member"),
    ("overfitting", "checkpoint.held_out_accuracy"): {**_share("held_out"), "quality": True},
    ("overfitting", "checkpoint.validation_accuracy"): _share("validation"),
    ("overfitting", "checkpoint.accuracy_gap"): _share("member", less="held_out"),
    ("overfitting", "checkpoint.log_loss_gap"): {
        "pairing": Pairing(statistic="mean", columns=("overfitting.log_loss",), part="held_out", less="member")
    },
    ("overfitting", "checkpoint.brier"): {
        "pairing": Pairing(
            statistic="squared error", columns=("overfitting.confidence", "overfitting.correct"), part="held_out"
        )
    },
    ("overfitting", "recipe.accuracy_gap"): {
        "pairing": _folds("training", less="held out"),
        "tradeoff": "risk",
    },
    ("overfitting", "guessing.held_out_accuracy"): {"quality": True},
    ("overfitting", "checkpoint.gain_over_guessing"): {"quality": True},
    ("overfitting", "recipe.held_out_accuracy"): {
        "pairing": _folds("held out"),
        "tradeoff": "utility",
        "quality": True,
    },
}
"""Defaults by probe and name."""

BOUNDS: Mapping[str, Bound] = {"epsilon.lower_bound": "lower", "epsilon.gaussian_lower_bound": "lower"}
"""Estimates that files from before `bound` contain with two equal ends."""


def of_estimate(probe: str, name: str) -> dict[str, Any]:
    """The default attributes of an estimate with that name."""
    plain = {"decided_by": None, "pairing": None, "aid": scope_of(name) in AIDS, "tradeoff": None, "quality": False}
    return {**plain, **ESTIMATES.get((probe, name), {})}


def of_finding(code: str) -> dict[str, Any]:
    return {"doubts": DOUBTS.get(code, "")}
