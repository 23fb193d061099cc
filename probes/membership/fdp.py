"""Auditing f-differential privacy in one run (Mahloujifar, Melis & Chaudhuri 2024): which trade-off functions are
refuted by a given number of correct guesses about randomly included canaries.

Let p_i be the probability of exactly i right guesses among r, on m canaries. Flip one canary's coin: a correct guess
about it becomes a wrong one, and f-DP limits by how much the probability of any event can change. For every i

    Σ_{j≥i} j p_j / m  ≤  f̄( Σ_{j≥i−1} (r − j) p_j / m ),   f̄ = 1 − f                               (*)

(f̄ is concave, so the mean over canaries may be moved inside). The distribution with a given tail from c upwards that
needs the least total probability puts the tail on c, and below c only what (*) demands; if the total exceeds 1, such a
tail is impossible.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import scipy
from scipy import special

from probes.errors import EvidenceError

Inverse = Callable[[float], float]
"""The least x with f̄(x) ≥ y: the smallest probability under the other hypothesis of an event that has probability y
under this one."""
LARGEST_EPSILON, LARGEST_MU = 50.0, 20.0
TOLERANCE = 1e-7
"""Tolerance of the bisection; the lower end is reported."""


def approximate_dp(epsilon: float, delta: float) -> Inverse:
    """(ε, δ)-DP: f̄(x) = min(δ + e^ε x, 1 − e^−ε (1 − δ − x))."""
    grow, shrink = math.exp(epsilon), math.exp(-epsilon)

    def inverse(y: float) -> float:
        return max(0.0, (y - delta) * shrink, 1 - delta - grow * (1 - y))

    return inverse


def gaussian_dp(mu: float) -> Inverse:
    """μ-GDP: f̄(x) = Φ(Φ⁻¹(x) + μ) (Dong, Roth & Su 2022)."""

    def inverse(y: float) -> float:
        return float(special.ndtr(special.ndtri(min(max(y, 0.0), 1.0)) - mu))

    return inverse


def refuted(inverse: Inverse, canaries: int, guesses: int, correct: int, level: float = 0.95) -> bool:
    """Would f-DP make `correct` or more right guesses rarer than 1 − level? Raises EvidenceError."""
    if not 0 <= correct <= guesses <= canaries or canaries < 1:
        raise EvidenceError(f"Expected 0 <= correct={correct} <= guesses={guesses} <= canaries={canaries}.")
    tail = (1 - level) / canaries
    right, wrong = correct * tail, (guesses - correct) * tail
    for i in range(correct, 0, -1):
        if right + wrong > guesses / canaries:
            return True
        more = max(0.0, inverse(right) - wrong)
        wrong += more
        right += more * (i - 1) / (guesses - i + 1)
    return right + wrong > guesses / canaries


def epsilon_f_dp(canaries: int, guesses: int, correct: int, *, delta: float, level: float = 0.95) -> float:
    """The largest ε for which (ε, δ)-DP is refuted; without assumptions, as `epsilon_one_run`. Raises EvidenceError."""
    return _largest(lambda e: refuted(approximate_dp(e, delta), canaries, guesses, correct, level), LARGEST_EPSILON)


def mu_one_run(canaries: int, guesses: int, correct: int, *, level: float = 0.95) -> float:
    """The largest μ for which μ-GDP is refuted. Raises EvidenceError."""
    return _largest(lambda mu: refuted(gaussian_dp(mu), canaries, guesses, correct, level), LARGEST_MU)


def _largest(is_refuted: Callable[[float], bool], most: float) -> float:
    """By bisection: a function refuted at one value is refuted at every smaller value."""
    if not is_refuted(0.0):
        return 0.0
    low, high = 0.0, most
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if is_refuted(middle) else (low, middle)
    return low


def epsilon_of_mu(mu: float, delta: float) -> float:
    """The ε at δ of μ-GDP: δ = Φ(−ε/μ + μ/2) − e^ε Φ(−ε/μ − μ/2) (Dong, Roth & Su 2022, corollary 1)."""
    if not 0 < delta < 1:
        raise EvidenceError(f"Expected 0 < delta={delta} < 1.")

    def excess(epsilon: float) -> float:
        lost = epsilon + float(special.log_ndtr(-epsilon / mu - mu / 2))
        return float(special.ndtr(-epsilon / mu + mu / 2)) - math.exp(lost) - delta

    if mu <= 0 or excess(0.0) <= 0:
        return 0.0
    most = mu * (mu / 2 - float(special.ndtri(delta))) + 1.0
    return float(scipy.optimize.brentq(excess, 0.0, most, xtol=1e-10))
