"""Corrections for multiple tests."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64


def holm(p_values: Float[np.ndarray, " tests"]) -> Float64[np.ndarray, " tests"]:
    """Adjusted p-values that control the family-wise error under any dependence (Holm 1979).

    p_values  of the tests, each in [0, 1]

    Returns an adjusted p-value for each test, in its place.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order].astype(np.float64) * (m - np.arange(m)))
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def holm_levels(p_values: Float[np.ndarray, " tests"], alpha: float) -> Float64[np.ndarray, " tests"]:
    """The error share each test may spend in Holm's procedure: α / (m − rank), until the first that is not rejected.

    p_values  of the tests, each in [0, 1]
    alpha     the family-wise error, in (0, 1)

    Returns a share for each test, in its place.

    >>> [round(float(level), 4) for level in holm_levels(np.array([0.001, 0.5, 0.02]), 0.05)]
    [0.0167, 0.05, 0.025]
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    allowed = np.empty(m)
    going = True
    share = alpha / m if m else alpha
    for rank, test in enumerate(order):
        if going:
            share = alpha / (m - rank)
        allowed[test] = share
        going = going and bool(p_values[test] <= share)
    return allowed


def false_discoveries(p_values: Float[np.ndarray, " tests"], share: float) -> Bool[np.ndarray, " tests"]:
    """What is rejected where a share of the rejections may be false on average (Benjamini & Hochberg 1995).

    p_values  of the tests, each in [0, 1]; NaN is never rejected
    share     of the rejections that may be false on average, in (0, 1)

    Returns whether each test is rejected.

    >>> false_discoveries(np.array([0.01, 0.04, 0.03, 0.9]), 0.06)
    array([ True,  True,  True, False])
    """
    m = int(np.isfinite(p_values).sum())
    order = np.argsort(p_values, kind="stable")
    below = np.flatnonzero(p_values[order][:m] <= share * np.arange(1, m + 1) / max(1, m))
    found = np.zeros(len(p_values), dtype=bool)
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found
