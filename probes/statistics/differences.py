"""Differences between two numbers that each have an interval."""

from __future__ import annotations

import math

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.distributions import binomial_cdf
from probes.statistics.proportions import wilson


def newcombe_difference(
    name: str,
    one: tuple[int, int],
    other: tuple[int, int],
    *,
    correlation: float = 0.0,
    level: float = 0.95,
    better: Better = "neither",
    unit: str = "points",
) -> Estimate:
    """p1 − p2 of two samples by Newcombe's hybrid score interval (Newcombe 1998, Statistics in Medicine 17:873, method
    10; for samples that overlap, as he corrects it for pairs, 17:2635).

    name         of the estimate
    one, other   (successes, trials) of each sample: 0 <= successes <= trials, at least one trial
    correlation  of the two shares, in [−1, 1]; 0 by default, for independent samples
    level        two-sided coverage of the interval, in (0, 1); 0.95 by default
    better       which direction is better for the model: higher, lower or neither (the default)
    unit         of the values; points by default

    Returns the estimate. Raises EvidenceError if counts do not fit.

    >>> found = newcombe_difference("gap", (90, 100), (80, 100))
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.1, 0.0, 0.199)
    """
    (k1, n1), (k2, n2) = one, other
    for k, n in (one, other):
        if not 0 <= k <= n or n < 1:
            raise EvidenceError(f"Expected 0 <= successes={k} <= trials={n} and trials >= 1 in {name}.")
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1, level), wilson(k2, n2, level)
    low = p1 - p2 - _correlated(p1 - l1, u2 - p2, correlation)
    high = p1 - p2 + _correlated(u1 - p1, p2 - l2, correlation)
    return Estimate(name=name, value=p1 - p2, low=low, high=high, level=level, n=n1 + n2, unit=unit, better=better)


def newcombe_paired(
    name: str,
    both: int,
    only_one: int,
    only_other: int,
    neither: int,
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str = "points",
) -> Estimate:
    """p1 − p2 on the same trials, from the 2 × 2 counts of successes, by the score interval corrected for correlation
    (Newcombe 1998, Statistics in Medicine 17:2635, method 10).

    name        of the estimate
    both        trials that both get right, at least 0
    only_one    trials that the first alone gets right, at least 0
    only_other  trials that the second alone gets right, at least 0
    neither     trials that neither gets right, at least 0
    level       two-sided coverage of the interval, in (0, 1); 0.95 by default
    better      which direction is better for the model: higher, lower or neither (the default)
    unit        of the values; points by default

    Returns the estimate. Raises EvidenceError if a count is negative or all are 0.

    >>> found = newcombe_paired("change", both=80, only_one=10, only_other=5, neither=5)
    >>> round(found.value, 3), found.low < 0 < found.high
    (0.05, True)
    """
    n = both + only_one + only_other + neither
    if min(both, only_one, only_other, neither) < 0 or n < 1:
        raise EvidenceError(f"Expected counts >= 0 and at least one trial in {name}.")
    k1, k2 = both + only_one, both + only_other
    p1, p2 = k1 / n, k2 / n
    (l1, u1), (l2, u2) = wilson(k1, n, level), wilson(k2, n, level)
    margins = k1 * (n - k1) * k2 * (n - k2)
    cross = both * neither - only_one * only_other
    # The continuity correction applies to a positive association only.
    corrected = max(cross - n / 2, 0) if cross > 0 else cross
    phi = corrected / math.sqrt(margins) if margins else 0.0
    low = p1 - p2 - _correlated(p1 - l1, u2 - p2, phi)
    high = p1 - p2 + _correlated(u1 - p1, p2 - l2, phi)
    return Estimate(name=name, value=p1 - p2, low=low, high=high, level=level, n=n, unit=unit, better=better)


def mcnemar(only_one: int, only_other: int) -> float:
    """Two-sided exact p-value that both are right equally often on the same trials (McNemar 1947, binomial form).

    only_one    trials that the first alone gets right, at least 0
    only_other  trials that the second alone gets right, at least 0

    Returns a p-value in (0, 1]; 1 where no trial tells them apart.

    >>> round(mcnemar(8, 1), 4)
    0.0391
    """
    n = only_one + only_other
    return min(1.0, 2 * binomial_cdf(min(only_one, only_other), n, 0.5))


def mover(
    one: tuple[float, float, float], other: tuple[float, float, float], correlation: float = 0.0
) -> tuple[float, float]:
    """The interval of a difference from (value, low, high) of two estimates: 'method of variance estimates recovery'
    (Zou & Donner 2008), whose case for Wilson intervals is Newcombe's.

    one, other   (value, low, high) of each estimate, in one unit and at one level
    correlation  of the two, in [−1, 1]; 0 by default, for independent estimates

    Returns (low, high) of one − other at that level.

    >>> low, high = mover((0.9, 0.8, 0.95), (0.8, 0.7, 0.85))
    >>> round(low, 3), round(high, 3)
    (-0.012, 0.212)
    """
    (v1, l1, u1), (v2, l2, u2) = one, other
    low = v1 - v2 - _correlated(v1 - l1, u2 - v2, correlation)
    return low, v1 - v2 + _correlated(u1 - v1, v2 - l2, correlation)


def _correlated(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))
