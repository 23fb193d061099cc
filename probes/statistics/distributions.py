"""Quantiles and tails of the distributions behind intervals.

Straight from `scipy.special`: `scipy.stats` takes ten times as long to import, which commands that only judge results
would wait for. The numbers are the same. Outside a domain the result is NaN.
"""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Float, Float64


def normal_quantile(p: float) -> float:
    """The standard normal's quantile: −∞ at 0, ∞ at 1.

    p  a probability, in [0, 1]

    Returns the quantile; NaN outside [0, 1].

    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return float(scipy.special.ndtri(p))


def normal_tail(x: float) -> float:
    """P[Z > x] of a standard normal Z.

    x  any number

    Returns a probability in [0, 1].

    >>> normal_tail(0.0)
    0.5
    """
    return float(scipy.special.ndtr(-x))


def beta_quantile(p: float, a: int | float, b: int | float) -> float:
    """The quantile of Beta(a, b): what Clopper–Pearson's ends are.

    p     a probability, in [0, 1]
    a, b  the parameters of Beta(a, b), above 0

    Returns a number in [0, 1]; NaN outside the domain.

    >>> round(beta_quantile(0.95, 1, 59), 4)
    0.0495
    """
    return float(scipy.special.betaincinv(a, b, p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P[K ≤ k] of a binomial K.

    k  successes
    n  trials, at least 0
    p  probability of a success, in [0, 1]

    Returns a probability in [0, 1].

    >>> round(binomial_cdf(0, 59, 0.05), 4)
    0.0485
    """
    return 0.0 if k < 0 else 1.0 if k >= n else float(scipy.special.betainc(n - k, k + 1, 1 - p))


def binomial_tail(k: int, n: int, p: float) -> float:
    """P[K > k] of a binomial K.

    k  successes
    n  trials, at least 0
    p  probability of a success, in [0, 1]

    Returns a probability in [0, 1].

    >>> binomial_tail(1, 2, 0.5)
    0.25
    """
    return 1.0 if k < 0 else 0.0 if k >= n else float(scipy.special.betainc(k + 1, n - k, p))


def midranks(values: Float[np.ndarray, " values"]) -> Float64[np.ndarray, " values"]:
    """Ranks from 1; equal values share the mean of theirs.

    values  any numbers but NaN

    Returns a rank for each value, in its place.

    >>> midranks(np.array([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)
