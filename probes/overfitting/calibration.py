"""Is the confidence of a model the share it gets right?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy import optimize, stats

from probes.evidence import Evidence
from probes.overfitting.metrics import brier
from probes.overfitting.part import Part
from probes.result import Axis, Chart, Estimate, Finding
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.differences import mover
from probes.statistics.proportions import clopper_pearson

BINS = 10
SMALLEST_BIN = 15


def calibration(evidence: Evidence, rng: np.random.Generator, level: float) -> Part:
    """ECE and Brier score of the checkpoint on held-out samples, their gap to the training samples, and how sure it is
    where it errs."""
    correct = evidence.audited.correct(evidence.labels)[0]
    confidence = evidence.audited.confidence[0].astype(np.float64)
    sides = {"training": evidence.pool.member, "held out": evidence.pool.held_out}
    out, inside = (
        calibration_error(name, confidence[mask], correct[mask], level)
        for name, mask in (("checkpoint.ece", sides["held out"]), ("checkpoint.ece_train", sides["training"]))
    )
    held_out = sides["held out"]
    estimates = [
        out,
        inside,
        _gap(out, inside, level),
        bootstrap_mean(
            "checkpoint.brier",
            brier(confidence[held_out], correct[held_out]),
            rng,
            level=level,
            better="lower",
            unit="squared error",
        ),
    ]
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


def calibration_error(
    name: str, confidence: Float[np.ndarray, " samples"], correct: Bool[np.ndarray, " samples"], level: float
) -> Estimate:
    """Root-mean-square calibration error over bins of equal mass, debiased (Kumar, Liang & Ma 2019): each bin's squared
    error less the variance of its mean, so that a calibrated model is near 0 however few samples there are.

    Given the confidences, the plain squared error is a sum of squared normals, about a·χ'²_ν(λ) with a and ν matched to
    its first two moments (Satterthwaite); the interval inverts that distribution in λ.
    """
    n = len(confidence)
    plain = bias = mean = variance = 0.0
    for chosen in _bins(confidence):
        size, right, said = len(chosen), int(correct[chosen].sum()), float(confidence[chosen].mean())
        weight, share = size / n, right / size
        plain += weight * (share - said) ** 2
        bias += weight * share * (1 - share) / max(1, size - 1)
        # One more sample at the stated confidence: a bin that is all right has a variance too.
        smooth = (right + said) / (size + 1)
        spread = weight * smooth * (1 - smooth) / size
        mean, variance = mean + spread, variance + 2 * spread**2
    value = float(np.sqrt(max(0.0, plain - bias)))
    low = high = value
    if mean > 0:
        scale, dof = variance / (2 * mean), 2 * mean**2 / variance
        low, high = (
            float(np.sqrt(scale * _noncentrality(plain / scale, dof, tail)))
            for tail in ((1 + level) / 2, (1 - level) / 2)
        )
    return Estimate(
        name=name,
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        n=n,
        unit="fraction",
        better="lower",
    )


def _noncentrality(statistic: float, dof: float, tail: float) -> float:
    """λ where P[χ'²_ν(λ) <= statistic] = tail; 0 where even λ = 0 lies below."""

    def excess(noncentrality: float) -> float:
        if noncentrality == 0:
            return float(stats.chi2.cdf(statistic, dof)) - tail
        return float(stats.ncx2.cdf(statistic, dof, noncentrality)) - tail

    if excess(0.0) <= 0:
        return 0.0
    high = 10.0 + statistic
    while excess(high) > 0:
        high *= 2
    return float(optimize.brentq(excess, 0.0, high))


def _bins(confidence: Float[np.ndarray, " samples"]) -> Iterator[Int64[np.ndarray, " chosen"]]:
    """At most BINS groups of equal size in order of confidence, none smaller than a mean can be taken of."""
    count = int(np.clip(len(confidence) // SMALLEST_BIN, 1, BINS))
    yield from np.array_split(np.argsort(confidence, kind="stable"), count)


def _gap(out: Estimate, inside: Estimate, level: float) -> Estimate:
    low, high = mover((out.value, out.low, out.high), (inside.value, inside.low, inside.high))
    # An error that cannot be told from 0 is overestimated, for it is never below: then its own end is taken whole.
    high = max(high, out.high) if inside.low == 0 else high
    low = min(low, -inside.high) if out.low == 0 else low
    return Estimate(
        name="checkpoint.ece_gap",
        value=out.value - inside.value,
        low=low,
        high=high,
        level=level,
        n=out.n + inside.n,
        unit="fraction",
        better="lower",
    )


def _miscalibrated(error: Estimate) -> list[Finding]:
    if error.low <= 0.05:
        return []
    return [
        Finding(
            code="overfitting.miscalibrated",
            severity="medium" if error.low > 0.15 else "low",
            claim=f"Its confidence on new samples is off by {error.value:.1%} ({error.low:.1%} to {error.high:.1%}): "
            "scores must not be read as probabilities.",
            because=(error.name,),
            values={"error": round(error.value, 3), "low": round(error.low, 3), "high": round(error.high, 3)},
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
            claim=f"Where it errs on new samples it is {sure.value:.0%} sure on average ({sure.low:.0%} to "
            f"{sure.high:.0%}): its errors cannot be caught by their confidence.",
            because=(sure.name,),
            samples=tuple(int(i) for i in worst[:100]),
            values={"confidence": round(sure.value, 3)},
        )
    ]


def reliability_chart(
    sides: dict[str, tuple[Float[np.ndarray, " ..."], Bool[np.ndarray, " ..."]]],
) -> Chart:
    """Share correct against confidence, a line a side, bins of equal mass."""
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
        title="When it says 90 %, is it right 9 times of 10?",
        caption=f"Share correct against mean confidence in at most {BINS} bins of equal mass; bands are 95 % "
        "Clopper–Pearson intervals. On the diagonal confidence is what it claims to be.",
        columns={name: [row[i] for row in rows] for i, name in enumerate(names)},
        x=Axis(column="confidence", title="confidence"),
        y=Axis(column="correct", title="share correct"),
        series="side",
        low="low",
        high="high",
        diagonal=True,
    )
