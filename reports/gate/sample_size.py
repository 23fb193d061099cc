"""What would decide an undecided check: how many more folds, replicas or samples, if the value stays where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from probes.result import Estimate
from probes.statistics.distributions import normal_quantile

POWER, MOST = 0.8, 1000
"""The probability with which so many decide it; beyond MOST times the present number more is no advice."""
ON_IT = "The value is on the threshold: no number of samples decides that."


def what_decides(
    estimate: Estimate, bound: float, p: float, alpha: float, probe: str, params: Mapping[str, Any]
) -> str:
    """A sentence. `p` is the one-sided p-value of the side that the value is on, `alpha` what may be spent on it.

    The score of the test grows with √n, so ((z_α + z_power) / z)² times the n decides. What more of the same cannot
    take away (`fixed_share` of the variance: folds share their training samples) stays, and may stand in the way.
    """
    score = -normal_quantile(p)
    if abs(estimate.value - bound) <= 1e-12 or not math.isfinite(score) or score <= 0.01:
        return ON_IT
    times = ((normal_quantile(POWER) - normal_quantile(alpha)) / score) ** 2
    left = 1 / times - estimate.fixed_share
    more = math.inf if left <= 0 else (1 - estimate.fixed_share) / left
    counted = estimate.counted or "observations"
    if more > MOST:
        if estimate.fixed_share:
            return f"No number of {counted} decides it, if the value stays: only more data narrows it."
        return f"The value is so near the threshold that not even {MOST} times the {counted} decides it."
    needed = f"About {math.ceil(more * estimate.n)} {counted} instead of {estimate.n}"
    said = f"{needed} would decide it with {POWER:.0%} probability, if the value stays."
    name = _parameter(estimate, params)
    return f"{said} Try --set probes.{probe}.{name}={math.ceil(more * params[name])}." if name else said


def _parameter(estimate: Estimate, params: Mapping[str, Any]) -> str:
    """The one that n grows with: repeats for what replicas say, else the only one that is n; empty where none is."""
    if estimate.name.startswith("recipe."):
        return "repeats" if type(params.get("repeats")) is int else ""
    same = [name for name, value in params.items() if type(value) is int and value == estimate.n]
    return same[0] if len(same) == 1 and estimate.counted == "samples" else ""
