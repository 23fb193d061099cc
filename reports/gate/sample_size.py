"""What would decide an undecided check: how many more folds, replicas or samples, if the value stays the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import scipy.special
from jaxtyping import Float64, Int

from probes.message import Message, Value
from probes.result import Estimate
from probes.statistics.distributions import binomial_cdf, binomial_tail
from probes.statistics.student_t import t_critical, t_quantile

POWER, MOST = 0.8, 1000
"""The probability with which that number decides it; more than MOST times the present number is not suggested."""
ON_IT = Message("gate.on-threshold")


def what_decides(estimate: Estimate, bound: float, alpha: float, probe: str, params: Mapping[str, object]) -> Message:
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
    if estimate.counts is not None:
        least = _exactly(estimate.value, estimate.n, bound, alpha)
    else:
        least = _least(estimate.n, _nearly(estimate, bound, alpha))
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


def _exactly(share: float, now: int, bound: float, alpha: float) -> int | None:
    """The smallest number of trials, from `now` on, of which the exact binomial test decides with probability POWER.

    The power rises and falls in a sawtooth with n, so it is looked at where it is highest for each critical count:
    above the bound at the most trials for which that count still tells them apart, below it at the fewest.
    """
    above = share > bound
    least = max(1, now)
    while least <= MOST * now:
        most = min(2 * least, MOST * now)
        ends = [_critical(n, bound, alpha, above=above) for n in (least, most)]
        counts = np.arange(max(ends[0], 0), ends[1] + 1)
        # Of each count, the trials at which it begins to tell (below the bound), or does so for the last time (above).
        peaks = np.clip(_trials(counts, bound, alpha, above=above, most=most), least, most)
        power = _beyond(counts, peaks, share, above=above)
        if len(found := np.flatnonzero(power >= POWER)):
            first = int(found[0])
            if not above:
                return int(peaks[first])
            return _first(
                int(counts[first]), least if first == 0 else int(peaks[first - 1]) + 1, int(peaks[first]), share
            )
        if most == MOST * now:
            return None
        least = most
    return None


def _beyond(
    counts: Int[np.ndarray, " counts"], trials: Int[np.ndarray, " counts"], share: float, *, above: bool
) -> Float64[np.ndarray, " counts"]:
    """P[K ≥ count] above the bound, P[K ≤ count] below it."""
    least = counts if above else counts + 1
    with np.errstate(invalid="ignore"):
        tail = np.where(least > trials, 0.0, scipy.special.betainc(np.maximum(least, 1), trials - least + 1.0, share))
    tail = np.where(least <= 0, 1.0, tail)
    found: Float64[np.ndarray, " counts"] = tail if above else 1 - tail
    return found


def _critical(n: int, bound: float, alpha: float, *, above: bool) -> int:
    """The count nearest to the bound that the test at `alpha` tells from it; −1 if there is none below it."""
    low, high = (math.floor(n * bound), n + 1) if above else (-1, math.ceil(n * bound))
    while high - low > 1:
        middle = (low + high) // 2
        told = (binomial_tail(middle - 1, n, bound) if above else binomial_cdf(middle, n, bound)) <= alpha
        if told == above:
            high = middle
        else:
            low = middle
    return high if above else low


def _trials(
    counts: Int[np.ndarray, " counts"], bound: float, alpha: float, *, above: bool, most: int
) -> Int[np.ndarray, " counts"]:
    """For each count, the largest (above the bound) or smallest (below it) number of trials up to `most` at which it is
    beyond the bound."""
    low, high = np.maximum(counts, 1) - 1, np.full(len(counts), most + 1)
    while (high - low > 1).any():
        middle = (low + high) // 2
        told = _beyond(counts, middle, bound, above=above) <= alpha
        low, high = np.where(told == above, middle, low), np.where(told == above, high, middle)
    return low if above else high


def _first(count: int, low: int, high: int, share: float) -> int:
    """The fewest trials of which so many successes or more have probability POWER."""
    while high > low:
        middle = (low + high) // 2
        if binomial_tail(count - 1, middle, share) >= POWER:
            high = middle
        else:
            low = middle + 1
    return high


def _nearly(estimate: Estimate, bound: float, alpha: float) -> Callable[[int], bool]:
    """Whether n decides by Student's t, or by the normal if there are no degrees of freedom."""
    dof = math.inf if estimate.dof is None else estimate.dof
    reach = estimate.value - estimate.low if estimate.value > bound else estimate.high - estimate.value
    error = reach / t_critical(estimate.level, dof)
    return partial(_reaches, estimate, abs(estimate.value - bound), error, dof, alpha)


def _reaches(estimate: Estimate, distance: float, error: float, dof: float, alpha: float, n: int) -> bool:
    """`error` and `dof` are those of the estimate's own n."""
    then, fixed = dof * n / estimate.n, estimate.fixed_share
    spread = error * math.sqrt(fixed + (1 - fixed) * estimate.n / n)
    return bool(distance >= spread * (t_quantile(1 - alpha, then) + t_quantile(POWER, then)))


def _least(now: int, enough: Callable[[int], bool]) -> int | None:
    """The smallest n that is enough: by doubling, then by bisection. None above MOST · now."""
    least = most = max(1, now)
    while not enough(most):
        if most > MOST * now:
            return None
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most if most <= MOST * now else None
