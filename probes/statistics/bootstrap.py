"""Means over samples, by resampling the samples."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64, Int64

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.distributions import normal_tail
from probes.statistics.student_t import t_critical, t_interval

DRAWS = 2000
FEW = 8
"""Resamples stay within the range of the samples: with n samples, they cover at most 1 − 2^(1 − n), 50 % if n is 2."""
BLOCK = 2**22
"""Indices drawn at once: 2,000 draws of 50,000 samples would otherwise take 800 MB."""


def bootstrap_mean(
    name: str,
    values: Float[np.ndarray, " samples"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str,
) -> Estimate:
    """The mean over samples with its expanded percentile bootstrap interval.

    name    of the estimate
    values  one per sample, in `unit`; NaN is left out
    rng     draws the resamples
    level   two-sided coverage of the interval, in (0, 1); 0.95 by default
    better  which direction is better for the model: higher, lower or neither (the default)
    unit    of the values, such as nats

    Tails are expanded to match Student's t, without which 12 samples cover 89 % instead of 95 %. With fewer than FEW
    samples the interval is Student's.

    Returns the estimate. Raises EvidenceError if fewer than two samples are left. Efron 1979; Hesterberg 2015, The
    American Statistician 69:371, section 5.3.

    >>> found = bootstrap_mean("loss", np.arange(20.0), np.random.default_rng(0), unit="nats")
    >>> found.value, 5 < found.low < found.high < 14
    (9.5, True)
    """
    finite = _finite(name, values)
    n, mean = len(finite), float(finite.mean())
    if n < FEW:
        low, high = t_interval(mean, math.sqrt(_mean_variance(finite)), n - 1, level)
    else:
        draws = np.concatenate([finite[index].mean(axis=1) for index in _indices(n, rng)])
        tail = expanded_tail(n, level)
        low, high = (float(end) for end in np.quantile(draws, [tail, 1 - tail]))
    return Estimate(
        name=name,
        value=mean,
        low=min(low, mean),
        high=max(high, mean),
        level=level,
        n=n,
        unit=unit,
        better=better,
        dof=float(n - 1) if n < FEW else None,
    )


def expanded_tail(n: int, level: float) -> float:
    """The quantile at which a percentile interval of a mean of n samples ends (Hesterberg 2015, section 5.3).

    n      samples, at least 2
    level  two-sided coverage of the interval, in (0, 1)

    Returns a probability in (0, 1 − level).

    >>> round(expanded_tail(12, 0.95), 4), round(expanded_tail(10_000, 0.95), 4)
    (0.0108, 0.025)
    """
    return normal_tail(math.sqrt(n / (n - 1)) * t_critical(level, n - 1))


def bootstrap_difference(
    name: str,
    one: Float[np.ndarray, " one"],
    other: Float[np.ndarray, " other"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str,
) -> Estimate:
    """mean(one) − mean(other) of two independent samples with a bootstrap-t interval.

    name        of the estimate
    one, other  one value per sample, in `unit`; NaN is left out
    rng         draws the resamples
    level       two-sided coverage of the interval, in (0, 1); 0.95 by default
    better      which direction is better for the model: higher, lower or neither (the default)
    unit        of the values, such as nats

    Studentised because losses are skewed: at 200 and 100 samples the percentile interval covers 92–93 % instead of 95
    %, this one 95 %.

    Returns the estimate. Raises EvidenceError if a side has fewer than two. Efron & Tibshirani 1993, 12.5.

    >>> one, rng = np.arange(20.0), np.random.default_rng(0)
    >>> found = bootstrap_difference("gap", one + 3, one, rng, unit="nats")
    >>> found.value, found.low < 3 < found.high
    (3.0, True)
    """
    a, b = _finite(name, one), _finite(name, other)
    difference, spread = float(a.mean() - b.mean()), float(np.sqrt(_mean_variance(a) + _mean_variance(b)))
    low = high = difference
    if spread > 0:
        (mean_a, variance_a), (mean_b, variance_b) = _moments(a, rng), _moments(b, rng)
        shift, variance = mean_a - mean_b - difference, variance_a + variance_b
        # A resample of equal values has no spread, so its t is undefined.
        t = shift[variance > 0] / np.sqrt(variance[variance > 0])
        upper, lower = np.quantile(t, [(1 - level) / 2, (1 + level) / 2])
        low, high = difference - spread * float(lower), difference - spread * float(upper)
    return Estimate(
        name=name,
        value=difference,
        low=min(low, difference),
        high=max(high, difference),
        level=level,
        n=len(a) + len(b),
        unit=unit,
        better=better,
    )


def _finite(name: str, values: Float[np.ndarray, " samples"]) -> Float64[np.ndarray, " finite"]:
    finite = values[np.isfinite(values)].astype(np.float64)
    if len(finite) < 2:
        raise EvidenceError(f"{name} needs at least 2 finite samples, got {len(finite)}.")
    return np.asarray(finite)


def _indices(n: int, rng: np.random.Generator) -> Iterator[Int64[np.ndarray, "draws samples"]]:
    rows = max(1, BLOCK // n)
    for start in range(0, DRAWS, rows):
        yield rng.integers(n, size=(min(rows, DRAWS - start), n))


def _mean_variance(values: Float64[np.ndarray, " samples"]) -> float:
    return float(values.var(ddof=1)) / len(values)


def _moments(
    values: Float64[np.ndarray, " samples"], rng: np.random.Generator
) -> tuple[Float64[np.ndarray, " draws"], Float64[np.ndarray, " draws"]]:
    """Mean of each resample and the variance of that mean."""
    drawn = (values[index] for index in _indices(len(values), rng))
    moments = [(sample.mean(axis=1), sample.var(axis=1, ddof=1) / len(values)) for sample in drawn]
    means, variances = zip(*moments, strict=True)
    return np.concatenate(means), np.concatenate(variances)
