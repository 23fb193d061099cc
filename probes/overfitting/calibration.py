"""Calibration: does the confidence of a model match its accuracy?"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from probes.evidence import Evidence
from probes.measures.calibration import BINS, _bins, calibration_error
from probes.measures.classification import brier
from probes.message import Message
from probes.pairing import Pairing
from probes.partial_result import Part
from probes.result import Axis, Chart, Estimate, Finding, by_column
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.differences import mover
from probes.statistics.proportions import clopper_pearson


def calibration(evidence: Evidence, rng: np.random.Generator, level: float) -> Part:
    """ECE and Brier score of the checkpoint on held-out samples, their gap to the training samples, and its confidence
    in wrong answers."""
    correct = evidence.audited.correct(evidence.labels)[0]
    confidence = evidence.audited.confidence[0].astype(np.float64)
    sides = {"training": evidence.pool.member, "held out": evidence.pool.held_out}
    out, inside = (
        calibration_error(name, confidence[mask], correct[mask], level)
        for name, mask in (("checkpoint.ece", sides["held out"]), ("checkpoint.ece_train", sides["training"]))
    )
    held_out = sides["held out"]
    score = bootstrap_mean(
        "checkpoint.brier",
        brier(confidence[held_out], correct[held_out]),
        rng,
        level=level,
        better="lower",
        unit="squared error",
    )
    made_of = Pairing(
        statistic="squared error", columns=("overfitting.confidence", "overfitting.correct"), part="held_out"
    )
    estimates = [out, inside, _gap(out, inside, level), dataclasses.replace(score, pairing=made_of)]
    wrong = held_out & ~correct
    findings: list[Finding] = []
    if wrong.sum() >= 2:
        sure = bootstrap_mean(
            "checkpoint.confidence_on_errors", confidence[wrong], rng, level=level, better="lower", unit="probability"
        )
        estimates.append(sure)
        findings += _overconfident(sure, confidence, wrong)
    chart = reliability_chart({side: (confidence[mask], correct[mask]) for side, mask in sides.items()})
    return Part(estimates=tuple(estimates), findings=(*_miscalibrated(out), *findings), figures=(chart,))


def _gap(out: Estimate, inside: Estimate, level: float) -> Estimate:
    low, high = mover((out.value, out.low, out.high), (inside.value, inside.low, inside.high))
    # An error that is not distinguishable from 0 is overestimated, because it cannot be negative: its own bound is then
    # used unchanged.
    high = max(high, out.high) if inside.low == 0 else high
    low = min(low, -inside.high) if out.low == 0 else low
    return Estimate(
        name="checkpoint.ece_gap",
        value=out.value - inside.value,
        low=low,
        high=high,
        level=level,
        n=out.n + inside.n,
        unit="points",
        better="lower",
    )


def _miscalibrated(error: Estimate) -> list[Finding]:
    if error.low <= 0.05:
        return []
    return [
        Finding(
            code="overfitting.miscalibrated",
            severity="medium" if error.low > 0.15 else "low",
            because=(error.name,),
            values={"error": error.value, "low": error.low, "high": error.high},
        )
    ]


def _overconfident(
    sure: Estimate, confidence: Float[np.ndarray, " samples"], wrong: Bool[np.ndarray, " samples"]
) -> list[Finding]:
    if sure.low <= 0.8:
        return []
    worst = np.flatnonzero(wrong)[np.argsort(-confidence[wrong], kind="stable")]
    return [
        Finding(
            code="overfitting.overconfident",
            severity="low",
            because=(sure.name,),
            samples=tuple(int(i) for i in worst[:100]),
            values={"confidence": sure.value, "low": sure.low, "high": sure.high},
        )
    ]


def reliability_chart(
    sides: dict[str, tuple[Float[np.ndarray, " ..."], Bool[np.ndarray, " ..."]]],
) -> Chart:
    """Share correct against confidence, one line per side, in bins of equal mass."""
    rows: list[tuple[str, float, float, float, float, int]] = []
    for side, (confidence, correct) in sides.items():
        for chosen in _bins(confidence):
            right = int(correct[chosen].sum())
            low, high = clopper_pearson(right, len(chosen))
            rows.append((side, float(confidence[chosen].mean()), right / len(chosen), low, high, len(chosen)))
    names = ("side", "confidence", "correct", "low", "high", "n")
    return Chart(
        name="reliability",
        mark="line",
        title=Message("overfitting.reliability.title"),
        caption=Message("overfitting.reliability.caption", {"bins": BINS}),
        columns=by_column(names, rows),
        x=Axis(column="confidence", title="confidence"),
        y=Axis(column="correct", title="share correct"),
        series="side",
        low="low",
        high="high",
        diagonal=True,
    )
