"""Overfitting of a language model by epoch: when the loss on new answers began to rise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Axis, Chart, Estimate, Finding, Severity, Table
from probes.sequences import EpochAnswers
from probes.statistics.paired import paired_gap, paired_mean

RISE = "recipe.loss_rise_after_best_epoch"
SIDES = ("training samples", "new samples")


def epochs_part(evidence: Evidence, told: EpochAnswers | None, level: float) -> Part:
    """The gap after each epoch, and by how much the loss on new answers rose after its lowest; intervals are corrected
    for the number of epochs. Empty without answers by epoch."""
    if told is None or len(told.epoch) < 2:
        return Part()
    new = (evidence.pool.member | evidence.pool.held_out) & ~told.kept
    means = told.loss[:, new].mean(axis=1)
    best = int(np.argmin(means))
    figures = (_chart(told, new), _table(told, new, level))
    if best == len(means) - 1:
        return Part(figures=figures)
    rise = _rise(told, new, best, level)
    if rise.low <= 0:
        return Part(estimates=(rise,), figures=figures)
    severity: Severity = "medium" if rise.low > 0.1 else "low"
    finding = Finding(
        code="overfitting.token-epochs",
        severity=severity,
        because=(RISE,),
        values={
            "best": int(told.epoch[best]),
            "epochs": int(told.epoch[-1]),
            "rise": rise.value,
            "low": rise.low,
            "high": rise.high,
            "n": rise.n,
        },
    )
    return Part(estimates=(rise,), findings=(finding,), figures=figures)


def _rise(told: EpochAnswers, new: Bool[np.ndarray, " samples"], best: int, level: float) -> Estimate:
    """At `level` for the epoch that was chosen because its mean is the lowest: one of all but the last."""
    each = 1 - (1 - level) / (len(told.epoch) - 1)
    return paired_mean(
        RISE, told.loss[-1, new] - told.loss[best, new], level=each, unit="nats per token", better="lower"
    )


def _chart(told: EpochAnswers, new: Bool[np.ndarray, " samples"]) -> Chart:
    sides = dict(zip(SIDES, (told.kept, new), strict=True))
    return Chart(
        name="token-epochs",
        mark="line",
        title=Message("overfitting.token-epochs.title"),
        caption=Message("overfitting.token-epochs.caption"),
        columns={
            "epoch": [epoch for _ in SIDES for epoch in told.epoch.tolist()],
            "loss a token": [float(row[mask].mean()) for mask in sides.values() for row in told.loss],
            "samples": [name for name in SIDES for _ in told.epoch],
        },
        x=Axis(column="epoch", title="epoch"),
        y=Axis(column="loss a token", title="loss a token"),
        series="samples",
    )


def _table(told: EpochAnswers, new: Bool[np.ndarray, " samples"], level: float) -> Table:
    each = 1 - (1 - level) / len(told.epoch)
    gaps = [paired_gap("gap", row[new], row[told.kept], level=each, unit="nats per token") for row in told.loss]
    rights = [paired_gap("gap", row[told.kept], row[new], level=each, unit="points") for row in told.right]
    return Table(
        name="gap-by-epoch",
        title=Message("overfitting.gap-by-epoch.title"),
        caption=Message("overfitting.gap-by-epoch.caption", {"level": level}),
        columns={
            "epoch": told.epoch.tolist(),
            "gap, nats a token": [round(one.value, 4) for one in gaps],
            "low": [round(one.low, 4) for one in gaps],
            "high": [round(one.high, 4) for one in gaps],
            "gap, tokens right": [round(one.value, 4) for one in rights],
            "low, tokens right": [round(one.low, 4) for one in rights],
            "high, tokens right": [round(one.high, 4) for one in rights],
        },
    )
