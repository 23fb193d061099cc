"""Calibration error, with its bias removed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int64

from probes.result import Estimate

BINS = 10


SMALLEST_BIN = 15


def calibration_error(
    name: str, confidence: Float[np.ndarray, " samples"], correct: Bool[np.ndarray, " samples"], level: float
) -> Estimate:
    """Root-mean-square calibration error over bins of equal mass, debiased (Kumar, Liang & Ma 2019): each bin's squared
    error minus the variance of its mean, so that a calibrated model is near 0 for any number of samples.

    name        of the estimate
    confidence  the probability that the model gives its own prediction, in [0, 1]
    correct     whether that prediction is right
    level       two-sided coverage of the interval, in (0, 1)

    Given the confidences, the plain squared error is a sum of squared normals, about a·χ'²_ν(λ) with a and ν matched to
    its first two moments (Satterthwaite); the interval inverts that distribution in λ.

    Returns the estimate, a fraction.

    >>> sure = np.full(100, 0.9)
    >>> round(calibration_error("calibration", sure, np.arange(100) % 5 < 3, 0.95).value, 2)
    0.28
    """
    n = len(confidence)
    plain = bias = mean = variance = 0.0
    for chosen in _bins(confidence):
        size, right, said = len(chosen), int(correct[chosen].sum()), float(confidence[chosen].mean())
        weight, share = size / n, right / size
        plain += weight * (share - said) ** 2
        bias += weight * share * (1 - share) / max(1, size - 1)
        # Add one sample at the stated confidence, so that a bin without errors has a variance too.
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
    """λ with P[χ'²_ν(λ) <= statistic] = tail; 0 if even λ = 0 is below."""
    excess = partial(_excess, statistic, dof, tail)
    if excess(0.0) <= 0:
        return 0.0
    high = 10.0 + statistic
    while excess(high) > 0:
        high *= 2
    return float(scipy.optimize.brentq(excess, 0.0, high))


def _excess(statistic: float, dof: float, tail: float, noncentrality: float) -> float:
    """P[χ'²_ν(λ) <= statistic] - tail."""
    if noncentrality == 0:
        return float(scipy.stats.chi2.cdf(statistic, dof)) - tail
    return float(scipy.stats.ncx2.cdf(statistic, dof, noncentrality)) - tail


def _bins(confidence: Float[np.ndarray, " samples"]) -> Iterator[Int64[np.ndarray, " chosen"]]:
    """At most BINS groups of equal size in order of confidence, none too small for a mean."""
    count = int(np.clip(len(confidence) // SMALLEST_BIN, 1, BINS))
    yield from np.array_split(np.argsort(confidence, kind="stable"), count)
