"""This checkpoint on its own members and held-out samples."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Shaped

from probes.evidence import Evidence
from probes.pairing import Pairing
from probes.result import Estimate
from probes.statistics.bootstrap import bootstrap_difference
from probes.statistics.differences import newcombe_difference
from probes.statistics.proportions import proportion

Mask = Bool[np.ndarray, " samples"]


def checkpoint_estimates(evidence: Evidence, rng: np.random.Generator, level: float) -> list[Estimate]:
    """Accuracy on both sides, and the gaps; the intervals are wide, because there is only one model.

    evidence  the audited model's samples and answers
    rng       generator for the resamples
    level     two-sided coverage of the interval, in (0, 1)

    Returns the estimates.
    """
    correct = evidence.audited.correct(evidence.labels)[0]
    member, held_out = evidence.pool.member, evidence.pool.held_out
    train, out = _counts(correct, member), _counts(correct, held_out)
    loss = -evidence.audited.log_prob[0].astype(np.float64)
    loss_gap = bootstrap_difference(
        "checkpoint.log_loss_gap", loss[held_out], loss[member], rng, level=level, unit="nats", better="lower"
    )
    held_out_accuracy = proportion("checkpoint.held_out_accuracy", *out, level=level, better="higher")
    by_loss = Pairing(statistic="mean", columns=("overfitting.log_loss",), part="held_out", less="member")
    return [
        _by_share(proportion("checkpoint.train_accuracy", *train, level=level, better="higher"), "member"),
        dataclasses.replace(_by_share(held_out_accuracy, "held_out"), quality=True),
        _by_share(
            newcombe_difference("checkpoint.accuracy_gap", train, out, level=level, better="lower"),
            "member",
            less="held_out",
        ),
        dataclasses.replace(loss_gap, pairing=by_loss),
    ]


def _by_share(estimate: Estimate, part: str, less: str = "") -> Estimate:
    made_of = Pairing(statistic="share", columns=("overfitting.correct",), part=part, less=less)
    return dataclasses.replace(estimate, pairing=made_of)


def validation_estimate(evidence: Evidence, level: float) -> Estimate | None:
    """Accuracy on the validation split, which is optimistic because the split was used to select the model.

    evidence  the audited model's samples and answers
    level     two-sided coverage of the interval, in (0, 1)

    Returns the estimate, a fraction; None if there is no such split.
    """
    if not evidence.pool.validation.any():
        return None
    correct = evidence.audited.correct(evidence.labels)[0]
    counts = _counts(correct, evidence.pool.validation)
    return _by_share(proportion("checkpoint.validation_accuracy", *counts, level=level, better="higher"), "validation")


def sample_columns(evidence: Evidence) -> dict[str, Shaped[np.ndarray, " samples"]]:
    """Each sample's side of the split and this checkpoint's answer: a later audit is paired with these."""
    pool = evidence.pool
    parts = {"member": pool.member, "held_out": pool.held_out, "validation": pool.validation}
    return {
        "split": np.select(list(parts.values()), [np.array(name) for name in parts], default=np.array("none")),
        "correct": evidence.audited.correct(evidence.labels)[0].astype(np.int8),
        "log_loss": -evidence.audited.log_prob[0].astype(np.float64),
        "confidence": evidence.audited.confidence[0].astype(np.float64),
    }


def _counts(correct: Mask, chosen: Mask) -> tuple[int, int]:
    return int(correct[chosen].sum()), int(chosen.sum())
