"""Many variances with few degrees of freedom each, shrunk towards a common value (Smyth 2004)."""

from __future__ import annotations

import math

import numpy as np
import scipy
from jaxtyping import Float64

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
    logs = np.log(np.maximum(variance, SMALLEST))
    logs = logs - scipy.special.digamma(dof / 2) + math.log(dof / 2)
    centre = float(logs.mean())
    excess = float(logs.var(ddof=1)) - float(scipy.special.polygamma(1, dof / 2)) if len(logs) > 1 else 0.0
    half = min(_trigamma_inverse(excess), MOST_DOF / 2) if excess > 0 else MOST_DOF / 2
    return 2 * half, math.exp(centre + float(scipy.special.digamma(half)) - math.log(half))


def _trigamma_inverse(x: float) -> float:
    """By Newton's method on 1/ψ′, which is nearly linear (Smyth 2004, appendix)."""
    if x > 1e7:
        return 1 / math.sqrt(x)
    if x < 1e-6:
        return 1 / x
    y = 0.5 + 1 / x
    for _ in range(50):
        tri = float(scipy.special.polygamma(1, y))
        step = tri * (1 - tri / x) / float(scipy.special.polygamma(2, y))
        y += step
        if -step / y < 1e-8:
            break
    return y
