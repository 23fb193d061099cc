"""What would decide an undecided check: how many more folds, replicas or samples, if the value stays where it is."""

from __future__ import annotations

import math
from collections.abc import Mapping

from scipy import stats

from probes.result import Estimate

POWER, MOST = 0.8, 1000
"""The probability with which so many decide it; beyond MOST times the present number more is no advice."""
ON_IT = "The value is on the threshold: no number of samples decides that."


def what_decides(
    estimate: Estimate, bound: float, p: float, alpha: float, probe: str, params: Mapping[str, object]
) -> str:
    """A sentence. `p` is the one-sided p-value of the side that the value is on, `alpha` what may be spent on it.

    The score of the test grows with √n, so ((z_α + z_power) / z)² times the n decides. What more of the same cannot
    take away (`fixed_share` of the variance: folds share their training samples) stays, and may stand in the way.
    """
    score = float(stats.norm.isf(p))
    if abs(estimate.value - bound) <= 1e-12 or not math.isfinite(score) or score <= 0.01:
        return ON_IT
    times = (float(stats.norm.isf(alpha) + stats.norm.ppf(POWER)) / score) ** 2
    left = 1 / times - estimate.fixed_share
    more = math.inf if left <= 0 else (1 - estimate.fixed_share) / left
    counted = estimate.counted or ("samples" if estimate.counts or estimate.name.startswith("checkpoint.") else "")
    if more > MOST:
        if estimate.fixed_share:
            return f"No number of {counted or 'repeats'} decides it, if the value stays: only more data narrows it."
        return f"The value is so near the threshold that not even {MOST} times the {counted or 'evidence'} decides it."
    needed = f"About {math.ceil(more * estimate.n)} {counted or 'observations'} instead of {estimate.n}"
    said = f"{needed} would decide it with {POWER:.0%} probability, if the value stays."
    repeats = params.get("repeats")
    if estimate.name.startswith("recipe.") and isinstance(repeats, int) and not isinstance(repeats, bool):
        said += f" Try --set probes.{probe}.repeats={math.ceil(more * repeats)}."
    return said
