"""Proportions and their intervals: Clopper–Pearson, Wilson."""

from __future__ import annotations

import math

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.distributions import beta_quantile, normal_quantile


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval for a binomial share (Clopper & Pearson 1934).

    successes  0 to `trials`
    trials     at least 1
    level      two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns (low, high). Raises EvidenceError if counts do not fit.

    >>> low, high = clopper_pearson(0, 10)
    >>> low, round(high, 4)
    (0.0, 0.3085)
    """
    if not 0 <= successes <= trials or trials < 1:
        raise EvidenceError(f"Expected 0 <= successes={successes} <= trials={trials} and trials >= 1.")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, trials - successes + 1)
    high = 1.0 if successes == trials else beta_quantile(1 - tail, successes + 1, trials - successes)
    return low, high


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval (Wilson 1927): the basis of Newcombe's interval for a difference.

    successes  0 to `trials`
    trials     at least 1
    level      two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns (low, high).

    >>> low, high = wilson(9, 10)
    >>> round(low, 3), round(high, 3)
    (0.596, 0.982)
    """
    z = normal_quantile(0.5 + level / 2)
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def proportion(
    name: str, successes: int, trials: int, *, level: float = 0.95, better: Better = "neither", unit: str = "fraction"
) -> Estimate:
    """A share with its Clopper–Pearson interval, exact at any other level too.

    name       of the estimate
    successes  0 to `trials`
    trials     at least 1; the estimate's n
    level      two-sided coverage of the interval, in (0, 1); 0.95 by default
    better     which direction is better for the model: higher, lower or neither (the default)
    unit       of the values; fraction by default

    Returns the estimate. Raises EvidenceError if counts do not fit.

    >>> proportion("checkpoint.held_out_accuracy", 90, 100, better="higher").value
    0.9
    """
    low, high = clopper_pearson(successes, trials, level)
    return Estimate(
        name=name,
        value=successes / trials,
        low=low,
        high=high,
        level=level,
        n=trials,
        unit=unit,
        better=better,
        counts=(successes, trials),
    )
