"""How much selection on the held-out samples added to the accuracy on them, if the answers of all models that were
tried are given."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from probes.evidence import Evidence
from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Scalar, Severity, Table
from probes.statistics.selection_bias import selection_bias

NOTABLE = 0.01
"""A bias beyond this part of the accuracy is reported."""
SHOWN = 10


def selection(evidence: Evidence, rng: np.random.Generator, level: float) -> Part:
    """`selection.bias` of the audited model among those that were tried, and `selection.corrected_accuracy`. Empty if
    these are not given; a note if the audited model is not one of the best."""
    tried = evidence.tried
    held_out = evidence.pool.held_out
    if tried is None or held_out.sum() < 10:
        return Part()
    own = evidence.audited.correct(evidence.labels)[0][held_out]
    right = np.concatenate([own[None], tried[:, held_out]])
    accuracy = right.mean(axis=1)
    found = selection_bias(right, rng, level=level)
    estimates = _estimates(found.reported, found.corrected, found.half_width, int(held_out.sum()), level)
    bias = estimates[0]
    sure = bias.low > 0
    values: dict[str, Value] = {
        "tried": len(right) - 1,
        "samples": bias.n,
        "reported": found.reported,
        "corrected": found.corrected,
        "bias": bias.value,
        "low": bias.low,
        "high": bias.high,
    }
    severity: Severity = "info"
    code = "overfitting.not-chosen"
    if sure:
        code, severity = "overfitting.chosen", "medium"
    elif bias.value > NOTABLE:
        code, severity = "overfitting.may-be-chosen", "low"
    finding = Finding(
        code=code,
        severity=severity,
        because=tuple(one.name for one in estimates),
        values=values,
    )
    better = int((accuracy[1:] > accuracy[0]).sum())
    notes = (Message("overfitting.not-the-best", {"better": better}),) if better else ()
    return Part(estimates=estimates, findings=(finding,), figures=(_table(accuracy),), notes=notes)


def _estimates(reported: float, corrected: float, half: float, samples: int, level: float) -> tuple[Estimate, Estimate]:
    low, high = max(0.0, corrected - half), min(1.0, corrected + half)
    bias = Estimate(
        name="selection.bias", value=reported - corrected, low=reported - high, high=reported - low, level=level,
        n=samples, unit="points", better="lower",
    )  # fmt: skip
    accuracy = Estimate(
        name="selection.corrected_accuracy", value=corrected, low=low, high=high, level=level, n=samples,
        unit="fraction", better="higher",
    )  # fmt: skip
    return bias, accuracy


def _table(accuracy: Float[np.ndarray, " models"]) -> Table:
    """The best of the models tried, and the audited model."""
    best = 1 + np.argsort(-accuracy[1:], kind="stable")[:SHOWN]
    columns: dict[str, list[Scalar]] = {
        "model": ["audited", *(f"tried {int(one)}" for one in best)],
        "held-out accuracy": [round(float(accuracy[one]), 4) for one in (0, *best)],
    }
    return Table(
        name="selection",
        title=Message("overfitting.selection.title"),
        caption=Message("overfitting.selection.caption", {"tried": len(accuracy) - 1, "shown": len(best)}),
        columns=columns,
    )
