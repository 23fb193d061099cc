"""Lower bounds on ε: what a model provably leaks, from the number of correct guesses of an attacker."""

from __future__ import annotations

import math

import numpy as np
import scipy

from probes.errors import EvidenceError
from probes.statistics.proportions import clopper_pearson

LARGEST_EPSILON = 50.0


def epsilon_one_run(canaries: int, guesses: int, correct: int, *, delta: float, level: float = 0.95) -> float:
    """The largest ε that the guesses of one run reject (Steinke, Nasr & Jagielski 2023, theorem 5.2).

    canaries  randomly included samples, each with probability one half
    guesses   how many of them were guessed, 0 to `canaries`
    correct   how many guesses were right, 0 to `guesses`
    delta     δ of the (ε, δ) guarantee, in [0, 1)
    level     one-sided confidence level, in (0, 1); 0.95 by default

    With q = 1/(1 + e^−ε), r guesses of which v are right, and m canaries, the p-value is P[Bin(r, q) ≥ v] + 2 m δ max_i
    P[v > Bin(r, q) ≥ v − i] / i.

    Returns a lower bound of ε, at least 0. Raises EvidenceError if counts do not fit.

    >>> round(epsilon_one_run(1000, 100, 90, delta=0.0), 2)
    1.63
    """
    if not 0 <= correct <= guesses <= canaries or canaries < 1:
        raise EvidenceError(f"Expected 0 <= correct={correct} <= guesses={guesses} <= canaries={canaries}.")
    _check_rates(delta, level)
    alpha = 1 - level

    def excess(epsilon: float) -> float:
        return _p_value(canaries, guesses, correct, epsilon, delta) - alpha

    if guesses == 0 or excess(0.0) > 0:
        return 0.0
    return float(scipy.optimize.brentq(excess, 0.0, LARGEST_EPSILON, xtol=1e-10))


def _p_value(m: int, r: int, v: int, epsilon: float, delta: float) -> float:
    q = 1 / (1 + math.exp(-epsilon))
    tail = float(scipy.stats.binom.sf(v - 1, r, q))
    if delta == 0 or v == 0:
        return tail
    i = np.arange(1, v + 1)
    between = scipy.stats.binom.sf(v - i - 1, r, q) - tail
    return min(1.0, tail + 2 * m * delta * float(np.max(between / i)))


def epsilon_clopper_pearson(
    true_positives: int,
    false_positives: int,
    members: int,
    non_members: int,
    *,
    delta: float,
    level: float = 0.95,
) -> float:
    """max over both directions of log((TPR_low − δ) / FPR_high) (Jagielski, Ullman & Oprea 2020), Clopper–Pearson, each
    rate at half the error.

    true_positives        members above the threshold, 0 to `members`
    false_positives       non-members above it, 0 to `non_members`
    members, non_members  how many were attacked, at least 1
    delta                 δ of the (ε, δ) guarantee, in [0, 1)
    level                 one-sided confidence level, in (0, 1); 0.95 by default

    Valid only for a threshold that was not chosen on the same data.

    Returns a lower bound of ε, at least 0. Raises EvidenceError if counts do not fit.

    >>> round(epsilon_clopper_pearson(900, 10, 1000, 1000, delta=0.0), 2)
    3.87
    """
    if not (0 <= true_positives <= members and members >= 1):
        raise EvidenceError(f"Expected 0 <= true_positives={true_positives} <= members={members} and members >= 1.")
    if not (0 <= false_positives <= non_members and non_members >= 1):
        raise EvidenceError(
            f"Expected 0 <= false_positives={false_positives} <= non_members={non_members} and non_members >= 1."
        )
    _check_rates(delta, level)
    tpr_low, _ = clopper_pearson(true_positives, members, level)
    _, fpr_high = clopper_pearson(false_positives, non_members, level)
    bounds = [0.0]
    for sure, wrong in ((tpr_low, fpr_high), (1 - fpr_high, 1 - tpr_low)):
        if sure - delta > 0 and wrong > 0:
            bounds.append(math.log((sure - delta) / wrong))
    return max(bounds)


def _check_rates(delta: float, level: float) -> None:
    if not 0 <= delta < 1:
        raise EvidenceError(f"Expected 0 <= delta={delta} < 1.")
    if not 0 < level < 1:
        raise EvidenceError(f"Expected 0 < level={level} < 1.")
