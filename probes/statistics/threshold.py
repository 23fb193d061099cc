"""A true-positive rate at a given false-positive rate, with a threshold that is itself estimated."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float64

from probes.result import Estimate
from probes.statistics.proportions import proportion
from probes.statistics.roc import tpr_at_fpr

RateAt = Callable[[float, float], Estimate]
"""(threshold, level) → the true-positive rate there, with its interval as if the threshold were known."""
FEWEST = 5
"""Number of false alarms below which it is not nearly normal."""


def tpr_at_true_fpr(
    score: Float[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    fpr: float,
    *,
    name: str = "tpr",
    level: float = 0.95,
) -> Estimate:
    """`tpr_at_fpr`, with an interval for the rate at the true false-positive rate `fpr`, rather than at the share of
    these particular non-members above the threshold.

    score   higher for members, in any unit; finite
    member  which samples are members
    fpr     the false-positive rate, in (0, 1)
    name    of the estimate; tpr by default
    level   two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns the estimate, a fraction. Raises EvidenceError without members or others; NonFiniteError on NaN or infinite
    scores.

    >>> score = np.arange(2000.0)
    >>> found = tpr_at_true_fpr(score, score >= 1000, 0.01)
    >>> found.value, found.low > 0.98
    (1.0, True)
    """
    here = tpr_at_fpr(score, member, fpr, name=name, level=level)
    inside, others = score[member].astype(np.float64), score[~member].astype(np.float64)
    found = at_true_fpr(others, fpr, level, partial(_rate_above, name, inside))
    return dataclasses.replace(found, counts=None, caveat=here.caveat)


def _rate_above(name: str, inside: Float64[np.ndarray, " members"], threshold: float, level: float) -> Estimate:
    hits = int((inside > threshold).sum())
    return proportion(name, hits, len(inside), level=level, better="lower", unit="TPR")


def at_true_fpr(
    others: Float64[np.ndarray, " others"], fpr: float, level: float, rate_at: RateAt, of: int | None = None
) -> Estimate:
    """`rate_at` the threshold that floor(fpr · n) of the n `others` exceed, with an interval that allows for not
    knowing the threshold t whose false-positive rate is `fpr`.

    others   scores of the non-members, higher for members
    fpr      the false-positive rate, in (0, 1)
    level    two-sided coverage of the interval, in (0, 1)
    rate_at  gives the estimate of the rate above a threshold, at a level
    of       the number of non-members, if `others` are only the largest of their scores, at least `most_above` of them;
             None, the default, if they are all

    Binomial(n, fpr) others exceed t, so it lies between two of their order statistics, whatever the distribution. The
    rates at these two ends, each with its own interval and both at half the error, are exact bounds. Where false alarms
    are not few and no two others tie there, both errors are nearly normal, and are added in quadrature instead (MOVER,
    Zou & Donner 2008). Simulated coverage is in docs/membership.md.

    Returns the estimate that `rate_at` gives at the threshold, with that interval.
    """
    n = len(others) if of is None else of
    allowed = min(math.floor(fpr * n + 1e-9), n - 1)
    half = 1 - (1 - level) / 2
    edges = _edges(others, _above(n, fpr, half)[1])
    fewest, most = _above(n, fpr, level)
    here = rate_at(edges[allowed + 1], level)
    if allowed >= FEWEST and (np.diff(edges[fewest : most + 2]) < 0).all():
        lowest, highest = (rate_at(edges[rank], level).value for rank in (fewest, most + 1))
        low = here.value - math.hypot(here.value - here.low, here.value - lowest)
        high = here.value + math.hypot(here.high - here.value, highest - here.value)
    else:
        fewest, most = _above(n, fpr, half)
        low, high = rate_at(edges[fewest], half).low, rate_at(edges[most + 1], half).high
    return dataclasses.replace(here, low=max(0.0, min(low, here.value)), high=min(1.0, max(high, here.value)))


def most_above(n: int, fpr: float, level: float) -> int:
    """The number of largest scores of `n` non-members that `at_true_fpr` looks at.

    n      the number of non-members
    fpr    the false-positive rate, in (0, 1)
    level  two-sided coverage of the interval, in (0, 1)

    Returns a number of scores, at most `n`.

    >>> most_above(1000, 0.01, 0.95)
    19
    """
    return min(n, 1 + _above(n, fpr, 1 - (1 - level) / 2)[1])


def _above(n: int, fpr: float, level: float) -> tuple[int, int]:
    """The smallest and the largest number of others above the true threshold, each at half of 1 − level."""
    tail = (1 - level) / 2
    return int(scipy.stats.binom.ppf(tail, n, fpr)), int(scipy.stats.binom.isf(tail, n, fpr))


def _edges(others: Float64[np.ndarray, " others"], most: int) -> list[float]:
    """∞, the `most` + 1 largest others from the top, −∞: entry k + 1 is the threshold that k of them exceed."""
    first = max(0, len(others) - 1 - most)
    top = np.sort(np.partition(others, first)[first:])[::-1]
    return [math.inf, *top.tolist(), -math.inf]


def others_for_a_low_end(fpr: float, level: float) -> int:
    """The number of non-members from which the interval of `at_true_fpr` can start above 0: with fewer, possibly none
    of them lies above the true threshold, and its lower end is 0 whatever is found.

    fpr    the false-positive rate, in (0, 1)
    level  two-sided coverage of the interval, in (0, 1)

    Returns a number of non-members.

    >>> others_for_a_low_end(0.01, 0.95)
    437
    """
    each = 1 - level
    exact = math.log(each / 4) / math.log1p(-fpr)
    together = max(FEWEST / fpr, math.log(each / 2) / math.log1p(-fpr))
    return math.ceil(min(exact, together))
