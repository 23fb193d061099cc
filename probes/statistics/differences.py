"""Differences between two shares."""

from __future__ import annotations

import math

from probes.result import Better, Estimate
from probes.statistics.proportions import wilson


def newcombe_difference(
    name: str,
    one: tuple[int, int],
    other: tuple[int, int],
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str = "fraction",
) -> Estimate:
    """p1 − p2 of two independent samples, given as (successes, trials), by Newcombe's hybrid score interval
    (Newcombe 1998, method 10)."""
    (k1, n1), (k2, n2) = one, other
    p1, p2 = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson(k1, n1, level), wilson(k2, n2, level)
    difference = p1 - p2
    low = difference - math.hypot(p1 - low1, high2 - p2)
    high = difference + math.hypot(high1 - p1, p2 - low2)
    return Estimate(name=name, value=difference, low=low, high=high, level=level, n=n1 + n2, unit=unit, better=better)
