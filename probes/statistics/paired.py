"""Differences between two models on the same samples, and between any two estimates."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.distributions import midranks, normal_quantile
from probes.statistics.student_t import t_critical, t_interval


def paired_mean(
    name: str, change: Float[np.ndarray, " samples"], *, level: float = 0.95, better: Better = "neither", unit: str
) -> Estimate:
    """The mean of per-sample differences with Student's t interval (Student 1908).

    name    of the estimate
    change  a difference a sample, in `unit`; at least two
    level   two-sided coverage of the interval, in (0, 1); 0.95 by default
    better  which direction is better for the model: higher, lower or neither (the default)
    unit    of the values, such as nats

    Returns the estimate. Raises EvidenceError below two samples.

    >>> found = paired_mean("loss", np.array([0.1, 0.2, 0.3]), unit="nats")
    >>> round(found.value, 3), found.dof
    (0.2, 2.0)
    """
    mean, error, dof = _moments(name, change)
    return _student(name, mean, error, dof, len(change), level, better, unit)


def paired_gap(
    name: str,
    plus: Float[np.ndarray, " plus"],
    minus: Float[np.ndarray, " minus"],
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str,
) -> Estimate:
    """mean(plus) − mean(minus) of per-sample differences on two disjoint parts, with Welch's t interval (Welch 1947).

    name         of the estimate
    plus, minus  a difference a sample of each part, in `unit`; at least two
    level        two-sided coverage of the interval, in (0, 1); 0.95 by default
    better       which direction is better for the model: higher, lower or neither (the default)
    unit         of the values, such as nats

    Returns the estimate. Raises EvidenceError if a part has fewer than two samples.

    >>> found = paired_gap("gap", np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0]), unit="nats")
    >>> found.value, found.n
    (1.5, 5)
    """
    (mean_p, error_p, dof_p), (mean_m, error_m, dof_m) = _moments(name, plus), _moments(name, minus)
    error, dof = _together((error_p, dof_p), (error_m, dof_m))
    return _student(name, mean_p - mean_m, error, dof, len(plus) + len(minus), level, better, unit)


def paired_auc(
    name: str,
    one: Float[np.ndarray, " samples"],
    other: Float[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    *,
    level: float = 0.95,
    better: Better = "lower",
) -> Estimate:
    """AUC(one) − AUC(other) of two scores of the same samples, with the covariance of their placements (DeLong, DeLong
    & Clarke-Pearson 1988, eq. 5–8).

    name        of the estimate
    one, other  the two scores of each sample, higher for members, in any unit
    member      which samples are members
    level       two-sided coverage of the interval, in (0, 1); 0.95 by default
    better      which direction is better for the model: higher, lower (the default) or neither

    Returns the estimate, in points. Raises EvidenceError if members or others are fewer than two.

    >>> member = np.array([True, True, False, False])
    >>> paired_auc("auc", np.array([3.0, 2.0, 1.0, 0.0]), np.array([3.0, 1.0, 2.0, 0.0]), member).value
    0.25
    """
    m, n = int(member.sum()), int((~member).sum())
    if min(m, n) < 2:
        raise EvidenceError(f"{name} needs at least 2 members and 2 others, got {m} and {n}.")
    (in_one, out_one), (in_other, out_other) = _placements(one, member), _placements(other, member)
    value = float(in_one.mean() - in_other.mean())
    variance = float((in_one - in_other).var(ddof=1)) / m + float((out_one - out_other).var(ddof=1)) / n
    half = normal_quantile(0.5 + level / 2) * math.sqrt(variance)
    return Estimate(
        name=name, value=value, low=value - half, high=value + half, level=level, n=m + n, unit="AUC", better=better
    )


def independent_difference(name: str, one: Estimate, other: Estimate, *, level: float = 0.95) -> Estimate:
    """one − other of independent estimates, from their intervals: each side's reaches added in quadrature (MOVER, Zou &
    Donner 2008) as standard errors, Student's t where an estimate has degrees of freedom (Satterthwaite 1946).

    name        of the estimate
    one, other  estimates in one unit, of independent samples
    level       two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns the estimate of one − other, in points where theirs are fractions.

    >>> from probes.statistics.proportions import proportion
    >>> new, old = proportion("accuracy", 80, 100), proportion("accuracy", 90, 100)
    >>> round(independent_difference("accuracy", new, old).value, 3)
    -0.1
    """
    value = one.value - other.value
    lower, dof_l = _together(_error(one, "low"), _error(other, "high"))
    upper, dof_u = _together(_error(one, "high"), _error(other, "low"))
    dof = min(dof_l, dof_u)
    critical = t_critical(level, dof)
    return Estimate(
        name=name,
        value=value,
        low=value - critical * lower,
        high=value + critical * upper,
        level=level,
        n=one.n + other.n,
        counted=one.counted if one.counted == other.counted else "",
        unit=one.unit,
        better=one.better,
        dof=dof if math.isfinite(dof) else None,
    )


def _student(
    name: str, value: float, error: float, dof: float, n: int, level: float, better: Better, unit: str
) -> Estimate:
    low, high = t_interval(value, error, dof, level)
    return Estimate(
        name=name,
        value=value,
        low=low,
        high=high,
        level=level,
        n=n,
        unit=unit,
        better=better,
        dof=dof,
    )


def _moments(name: str, change: Float[np.ndarray, " samples"]) -> tuple[float, float, float]:
    """Mean, its standard error, and degrees of freedom."""
    if len(change) < 2:
        raise EvidenceError(f"{name} needs at least 2 samples, got {len(change)}.")
    wide = change.astype(np.float64)
    return float(wide.mean()), float(wide.std(ddof=1)) / math.sqrt(len(wide)), float(len(wide) - 1)


def _error(estimate: Estimate, side: str) -> tuple[float, float]:
    """Standard error on one side of the interval, and degrees of freedom."""
    dof = math.inf if estimate.dof is None else estimate.dof
    reach = estimate.value - estimate.low if side == "low" else estimate.high - estimate.value
    return reach / t_critical(estimate.level, dof), dof


def _together(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    (error_1, dof_1), (error_2, dof_2) = one, other
    error = math.hypot(error_1, error_2)
    if error == 0:
        return 0.0, min(dof_1, dof_2)
    share = sum((e / error) ** 4 / dof for e, dof in ((error_1, dof_1), (error_2, dof_2)))
    return error, 1 / share if share > 0 else math.inf


def _placements(
    score: Float[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"]
) -> tuple[Float64[np.ndarray, " members"], Float64[np.ndarray, " others"]]:
    """Each member's share of others below it, each other's share of members above it; ties count half."""
    inside, outside = score[member].astype(np.float64), score[~member].astype(np.float64)
    rank = midranks(np.concatenate([inside, outside]))
    m, n = len(inside), len(outside)
    return (
        np.asarray((rank[:m] - midranks(inside)) / n),
        np.asarray(1 - (rank[m:] - midranks(outside)) / m),
    )
