"""Many variances with few degrees of freedom each, shrunk towards a common value (Smyth 2004)."""

from __future__ import annotations

import math

import numpy as np
import scipy
from jaxtyping import Float64, Int

SMALLEST = 1e-24
MOST_DOF = 1e4
"""Largest degrees of freedom of the prior: beyond it, all variances are equal."""


def squeezed_variance(
    variance: Float64[np.ndarray, " samples"], dof: float
) -> tuple[Float64[np.ndarray, " samples"], float]:
    """The posterior means (d₀ s₀² + d s²)/(d₀ + d) and d₀ + d, the degrees of freedom of the moderated t.

    variance  one per sample, above 0, in any unit squared
    dof       degrees of freedom of each variance, above 0

    The variances of samples are assumed to follow a scaled inverse χ² with d₀ degrees of freedom about s₀², both fitted
    to the moments of log s² (Smyth 2004, section 6.2).

    Returns a variance for each sample, and the degrees of freedom of all.

    >>> rng = np.random.default_rng(0)
    >>> same, dof = squeezed_variance(rng.chisquare(3, 2000) / 3, 3.0)
    >>> bool(dof > 50), round(float(same.mean()), 1)
    (True, 1.0)
    """
    d0, s0 = variance_prior(variance, dof)
    return np.asarray((d0 * s0 + dof * variance) / (d0 + dof)), d0 + dof


def variance_prior(variance: Float64[np.ndarray, " samples"], dof: float) -> tuple[float, float]:
    """(d₀, s₀²) of the prior that `squeezed_variance` fits. Variances that differ no more than their sampling error
    allows have d₀ = `MOST_DOF`.

    variance  one per sample, above 0, in any unit squared
    dof       degrees of freedom of each variance, above 0

    Returns the prior's degrees of freedom and its variance.

    >>> dof, centre = variance_prior(np.random.default_rng(0).chisquare(3, 2000) / 3, 3.0)
    >>> bool(dof > 50), round(centre, 1)
    (True, 1.0)
    """
    d0, s0 = variance_priors(variance, dof, np.zeros(1, dtype=np.int64))
    return float(d0[0]), float(s0[0])


def variance_priors(
    variance: Float64[np.ndarray, " samples"], dof: float, starts: Int[np.ndarray, " strata"]
) -> tuple[Float64[np.ndarray, " strata"], Float64[np.ndarray, " strata"]]:
    """`variance_prior` of each stratum.

    variance  one per sample, above 0, in any unit squared, stratum by stratum
    dof       degrees of freedom of each variance, above 0
    starts    where each stratum starts

    Returns the priors' degrees of freedom and their variances.

    >>> unequal = np.repeat([1.0, 100.0], 500) * np.random.default_rng(0).chisquare(3, 1000) / 3
    >>> _, centre = variance_priors(unequal, 3.0, np.array([0, 500]))
    >>> bool(0.9 < centre[0] < 1.1 and 90 < centre[1] < 110)
    True
    """
    logs = np.log(np.maximum(variance, SMALLEST)) - scipy.special.digamma(dof / 2) + math.log(dof / 2)
    size = np.diff(starts, append=len(logs))
    centre = np.add.reduceat(logs, starts) / size
    squares = np.add.reduceat((logs - np.repeat(centre, size)) ** 2, starts)
    excess = squares / np.maximum(size - 1, 1) - scipy.special.zeta(2, dof / 2)
    half = np.full(len(starts), MOST_DOF / 2)
    differ = (excess > 0) & (size > 1)
    half[differ] = np.minimum(_trigamma_inverse(excess[differ]), half[differ])
    return 2 * half, np.exp(centre + scipy.special.digamma(half) - np.log(half))


def _trigamma_inverse(x: Float64[np.ndarray, " strata"]) -> Float64[np.ndarray, " strata"]:
    """By Newton's method on 1/ψ′, which is nearly linear (Smyth 2004, appendix). The derivatives of ψ are Hurwitz's
    zeta function: ψ′(y) = ζ(2, y), ψ″(y) = −2 ζ(3, y)."""
    within = np.clip(x, 1e-6, 1e7)
    y = 0.5 + 1 / within
    for _ in range(50):
        tri = scipy.special.zeta(2, y)
        step = tri * (1 - tri / within) / (-2 * scipy.special.zeta(3, y))
        y = y + step
        if (np.abs(step) < 1e-8 * y).all():
            break
    return np.where(x > 1e7, x**-0.5, np.where(x < 1e-6, 1 / x, y))
