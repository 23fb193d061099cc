"""Shares of counted things."""

from __future__ import annotations

import math

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.distributions import beta_quantile, normal_quantile


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval for a binomial share (Clopper & Pearson 1934). Raises EvidenceError."""
    if not 0 <= successes <= trials or trials < 1:
        raise EvidenceError(f"Expected 0 <= successes={successes} <= trials={trials} and trials >= 1.")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else beta_quantile(tail, successes, trials - successes + 1)
    high = 1.0 if successes == trials else beta_quantile(1 - tail, successes + 1, trials - successes)
    return low, high


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval (Wilson 1927): what Newcombe's interval for a difference is made of."""
    z = normal_quantile(0.5 + level / 2)
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def proportion(
    name: str, successes: int, trials: int, *, level: float = 0.95, better: Better = "neither", unit: str = "fraction"
) -> Estimate:
    """A share with its Clopper–Pearson interval."""
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
