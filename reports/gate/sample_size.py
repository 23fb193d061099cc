"""What would decide an undecided check: how many more folds, replicas or samples, if the value stays the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from probes.message import Message, Value
from probes.result import Estimate
from probes.statistics.distributions import binomial_cdf, binomial_tail
from probes.statistics.student_t import t_critical, t_quantile

POWER, MOST = 0.8, 1000
"""The probability with which that number decides it; more than MOST times the present number is not suggested."""
ON_IT = Message("gate.on-threshold")
FEW = 400


def what_decides(estimate: Estimate, bound: float, alpha: float, probe: str, params: Mapping[str, Any]) -> Message:
    """A sentence with the smallest n whose interval lies on one side of `bound` with probability POWER, if the value
    stays the same.

    `alpha` is the one-sided error that may be spent on the side that the value is on. Proportions use their exact test;
    others Student's t or the normal, whose error falls with √n except for the share of the variance that a larger n
    cannot remove (`fixed_share`: folds share their training samples).
    """
    if estimate.value > 0 and estimate.decided_by is not None:
        return estimate.decided_by
    if abs(estimate.value - bound) <= 1e-12:
        return ON_IT
    decides = _exactly if estimate.counts is not None else _nearly
    least = _least(estimate.n, decides(estimate, bound, alpha))
    counted = estimate.counted or "observations"
    if least is None:
        if estimate.fixed_share:
            return Message("gate.more-data", {"what": counted})
        return Message("gate.near-threshold", {"times": MOST, "what": counted})
    enough: dict[str, Value] = {"needed": least, "what": counted, "n": estimate.n, "power": POWER}
    now = params.get(estimate.grown_by) if estimate.grown_by else None
    if type(now) is not int:
        return Message("gate.more-of-it", enough)
    setting = f"--set probes.{probe}.{estimate.grown_by}={math.ceil(least / estimate.n * now)}"
    return Message("gate.more-of-it-by", {**enough, "setting": setting})


def _exactly(estimate: Estimate, bound: float, alpha: float) -> Callable[[int], bool]:
    """Whether n trials decide by the exact binomial test: the probability of a significant count."""
    assert estimate.counts is not None
    share, above = estimate.value, estimate.value > bound

    def enough(n: int) -> bool:
        # The nearest count on its side of the bound that the test at `alpha` distinguishes from it.
        low, high = (math.floor(n * bound), n + 1) if above else (-1, math.ceil(n * bound))
        while high - low > 1:
            middle = (low + high) // 2
            told = (binomial_tail(middle - 1, n, bound) if above else binomial_cdf(middle, n, bound)) <= alpha
            if told == above:
                high = middle
            else:
                low = middle
        return (binomial_tail(high - 1, n, share) if above else binomial_cdf(low, n, share)) >= POWER

    return enough


def _nearly(estimate: Estimate, bound: float, alpha: float) -> Callable[[int], bool]:
    """Whether n decides by Student's t, or by the normal if there are no degrees of freedom."""
    dof = math.inf if estimate.dof is None else estimate.dof
    reach = estimate.value - estimate.low if estimate.value > bound else estimate.high - estimate.value
    error = reach / t_critical(estimate.level, dof)
    distance, fixed = abs(estimate.value - bound), estimate.fixed_share

    def enough(n: int) -> bool:
        then = dof * n / estimate.n
        spread = error * math.sqrt(fixed + (1 - fixed) * estimate.n / n)
        return bool(distance >= spread * (t_quantile(1 - alpha, then) + t_quantile(POWER, then)))

    return enough


def _least(now: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest n that is enough: by doubling, then by bisection. None above MOST · now.

    The power of an exact test rises with n in a sawtooth, so up to FEW every n is tried.
    """
    least = most = max(1, now)
    while not enough(most):
        if most > MOST * now:
            return None
        least, most = most, 2 * most
    if most <= FEW:
        return next(n for n in range(least, most + 1) if enough(n))
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most if most <= MOST * now else None
