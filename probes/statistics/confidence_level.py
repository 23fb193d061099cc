"""An estimate's interval at another level, and the equivalent p-value of a threshold."""

from __future__ import annotations

import math
from typing import Literal

from probes.result import Estimate
from probes.statistics.distributions import binomial_cdf, binomial_tail
from probes.statistics.proportions import clopper_pearson
from probes.statistics.student_t import t_critical, t_tail

SCALE_ENDS = (0.0, 1.0)
WITHIN_SCALE = ("TPR", "AUC", "probability")
"""Units of numbers within 0 and 1, unlike a difference of shares."""


def at_level(estimate: Estimate, level: float, *, difference: bool = False) -> tuple[float, float]:
    """[low, high] at two-sided `level`: exact for counts, Student's t where `dof` is known, else each side scaled as a
    normal's. At the estimate's own level this is its own interval. An end at 0 or 1 may be where the scale clipped the
    interval, so a narrower interval does not move it, and a wider one does not leave the scale. Neither holds for a
    `difference` of two such numbers. A one-sided bound exists only at its own level.

    estimate    any, two-sided or a one-sided bound
    level       two-sided coverage, in (0, 1)
    difference  whether the estimate is a difference, which 0 and 1 do not bound; off by default

    Returns (low, high) in the estimate's unit.

    >>> from probes.statistics.proportions import proportion
    >>> low, high = at_level(proportion("share", 9, 10), 0.8)
    >>> round(low, 3), round(high, 3)
    (0.663, 0.99)
    """
    if estimate.bound is not None:
        return estimate.low, estimate.high
    if estimate.counts is not None:
        return clopper_pearson(*estimate.counts, level)
    ratio = _quantile(level, estimate.dof) / _quantile(estimate.level, estimate.dof)
    ends = (estimate.low, estimate.high)
    below, above = (max(1.0, ratio) if end in SCALE_ENDS and not difference else ratio for end in ends)
    low = estimate.value - (estimate.value - estimate.low) * below
    high = estimate.value + (estimate.high - estimate.value) * above
    return (max(low, 0.0), min(high, 1.0)) if estimate.unit in WITHIN_SCALE and not difference else (low, high)


def p_beyond(estimate: Estimate, threshold: float, side: Literal["above", "below"]) -> float:
    """One-sided p-value against 'the truth is not `side` the threshold': below α exactly where the interval at level
    1 − 2α lies entirely on that side. A lower bound is evidence only for 'above', at its own level; an upper one for
    'below'.

    estimate   any, two-sided or a one-sided bound
    threshold  in the estimate's unit
    side       above or below

    Returns a p-value in [0, 1].

    >>> from probes.statistics.proportions import proportion
    >>> round(p_beyond(proportion("share", 9, 10), 0.5, "above"), 4)
    0.0107
    """
    if estimate.bound is not None:
        speaks = (estimate.bound == "lower") == (side == "above")
        beyond = estimate.value > threshold if side == "above" else estimate.value < threshold
        return 0.0 if speaks and beyond else 1.0
    if estimate.counts is not None:
        k, n = estimate.counts
        share = min(max(threshold, 0.0), 1.0)
        if side == "above":
            return binomial_tail(k - 1, n, share)
        return binomial_cdf(k, n, share)
    distance = estimate.value - threshold if side == "above" else threshold - estimate.value
    reach = estimate.value - estimate.low if side == "above" else estimate.high - estimate.value
    if reach <= 0:
        return 0.0 if distance > 0 else 1.0
    score = distance / reach * _quantile(estimate.level, estimate.dof)
    p_value = t_tail(score, math.inf if estimate.dof is None else estimate.dof)
    end = estimate.low if side == "above" else estimate.high
    return max(p_value, 0.5) if end in SCALE_ENDS and distance <= reach else p_value


def _quantile(level: float, dof: float | None) -> float:
    value = t_critical(level, math.inf if dof is None else dof)
    return value if math.isfinite(value) else math.inf
