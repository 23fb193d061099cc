"""Every held-out figure again, without the samples that have a copy among the members."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from probes.evidence import Evidence
from probes.measures.calibration import calibration_error
from probes.measures.classification import METRICS, Metric
from probes.message import Message
from probes.result import Estimate, Table
from probes.statistics.differences import newcombe_difference
from probes.statistics.proportions import proportion

OF_SEQUENCES = ("accuracy", "log_loss")
"""Word-for-word answers, and nats per token."""
Mask = Bool[np.ndarray, " samples"]


def clean_estimates(evidence: Evidence, contaminated: Mask, level: float) -> list[Estimate]:
    """Held-out accuracy without copies, and by how much copies inflate it: share × (accuracy on copies − accuracy on
    the others), Newcombe's interval, given the share.

    evidence      the audited model's samples and answers
    contaminated  which samples have a copy among the members
    level         two-sided coverage of the interval, in (0, 1)

    Returns the estimates; none where nothing would be left.
    """
    held_out = evidence.pool.held_out
    clean = held_out & ~contaminated
    if not clean.any():
        return []
    correct = evidence.audited.correct(evidence.labels)[0]
    own = proportion(
        "held_out_accuracy_clean", int(correct[clean].sum()), int(clean.sum()), level=level, better="higher"
    )
    return [own, _inflation(correct, clean, held_out & contaminated, level)]


def _inflation(correct: Mask, clean: Mask, copies: Mask, level: float) -> Estimate:
    n, count = int(clean.sum() + copies.sum()), int(copies.sum())
    value = low = high = 0.0
    if count:
        difference = newcombe_difference(
            "difference",
            (int(correct[copies].sum()), count),
            (int(correct[clean].sum()), int(clean.sum())),
            level=level,
        )
        value, low, high = (count / n * one for one in (difference.value, difference.low, difference.high))
    return Estimate(
        name="accuracy_inflation", value=value, low=low, high=high, level=level, n=n, unit="points", better="lower"
    )


def clean_table(evidence: Evidence, contaminated: Mask, group: Int64[np.ndarray, " samples"], level: float) -> Table:
    """All held-out metrics with and without the copies, including those of the replicas' folds, because copies are on
    both sides of folds too. `group` is the number of each sample's copies, −1 where it has none."""
    held_out = evidence.pool.held_out
    clean = held_out & ~contaminated
    rows: list[tuple[str, float, float]] = []
    for name, metric in _metrics(evidence).items():
        both = [metric(evidence.audited, evidence.labels, mask) for mask in (held_out, clean)]
        rows.append((name.replace("_", " "), both[0], both[1]))
    correct = evidence.audited.correct(evidence.labels)[0]
    confidence = evidence.audited.confidence[0].astype(np.float64)
    errors = [calibration_error("ece", confidence[mask], correct[mask], level).value for mask in (held_out, clean)]
    rows.append(("calibration error", errors[0], errors[1]))
    rows += _cross_validated(evidence, group)
    return Table(
        name="clean",
        title=Message("contamination.clean.title"),
        caption=Message("contamination.clean.caption", {"held_out": int(held_out.sum()), "clean": int(clean.sum())}),
        columns={
            "figure": [name for name, _, _ in rows],
            "all held out": [round(value, 4) for _, value, _ in rows],
            "without copies": [round(value, 4) for _, _, value in rows],
            "difference": [round(value - clean_value, 4) for _, value, clean_value in rows],
        },
    )


def _metrics(evidence: Evidence) -> dict[str, Metric]:
    """For sequences, only the metrics that need no classes."""
    kept = METRICS if evidence.sequences is None else OF_SEQUENCES
    return {name: METRICS[name][0] for name in kept}


def _cross_validated(evidence: Evidence, group: Int64[np.ndarray, " samples"]) -> list[tuple[str, float, float]]:
    splits = evidence.population.design("splits")
    pool = evidence.pool.member | evidence.pool.held_out
    rows = []
    for name, metric in _metrics(evidence).items():
        scores = []
        for replica, keep in enumerate(splits.keep):
            out = ~keep & pool
            clean = out & ~((group >= 0) & np.isin(group, group[keep]))
            if clean.any():
                told = splits.answers[np.array([replica])]
                scores.append([metric(told, evidence.labels, mask) for mask in (out, clean)])
        if scores:
            both = np.mean(scores, axis=0)
            rows.append((f"{name.replace('_', ' ')}, cross-validated", float(both[0]), float(both[1])))
    return rows
