"""Student's t: quantiles, tails, and the interval of an estimate with a standard error (Student 1908).

Straight from `scipy.special`, as explained in `probes/statistics/distributions.py`. Outside a domain the result is NaN.
"""

from __future__ import annotations

import math
from typing import overload

import numpy as np
import scipy
from jaxtyping import Float, Int

from probes.statistics.distributions import normal_quantile, normal_tail

Many = Float[np.ndarray, "..."]


def t_quantile(p: float, dof: int | float) -> float:
    """The quantile of Student's t; the normal's where degrees of freedom are infinite.

    p    a probability, in [0, 1]
    dof  degrees of freedom, above 0; may be infinite

    Returns the quantile.

    >>> round(t_quantile(0.975, 4), 3)
    2.776
    """
    return float(scipy.special.stdtrit(dof, p)) if math.isfinite(dof) else normal_quantile(p)


@overload
def t_tail(x: float, dof: int | float) -> float: ...


@overload
def t_tail(x: Many, dof: int | float) -> Many: ...


def t_tail(x: float | Many, dof: int | float) -> float | Many:
    """P[T > x] of Student's t.

    x    a number, or an array of them
    dof  degrees of freedom, above 0; may be infinite

    Returns a probability for each.

    >>> round(t_tail(2.776, 4), 3)
    0.025
    """
    if isinstance(x, np.ndarray):
        return np.asarray(scipy.special.stdtr(dof, -x) if math.isfinite(dof) else scipy.special.ndtr(-x))
    return float(scipy.special.stdtr(dof, -x)) if math.isfinite(dof) else normal_tail(x)


@overload
def t_critical(level: float, dof: int | float) -> float: ...


@overload
def t_critical(level: float, dof: Int[np.ndarray, "..."]) -> Many: ...


def t_critical(level: float, dof: int | float | Int[np.ndarray, "..."]) -> float | Many:
    """How many standard errors an interval reaches to each side.

    level  two-sided coverage, in (0, 1)
    dof    degrees of freedom, above 0, or an array of them

    Returns a number for each.

    >>> round(t_critical(0.95, 4), 3), round(t_critical(0.95, math.inf), 3)
    (2.776, 1.96)
    """
    if isinstance(dof, np.ndarray):
        return np.asarray(scipy.special.stdtrit(dof, 0.5 + level / 2))
    return t_quantile(0.5 + level / 2, dof)


def t_interval(value: float, error: float, dof: int | float, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of an estimate with a standard error.

    value  the estimate
    error  its standard error, at least 0
    dof    degrees of freedom, above 0; may be infinite
    level  two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns (low, high).

    >>> t_interval(1.0, 0.0, 4)
    (1.0, 1.0)
    """
    half = t_critical(level, dof) * error
    return value - half, value + half
