"""Receiver operating characteristics of scores that are higher for members."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from probes.errors import EvidenceError, NonFiniteError
from probes.message import Message
from probes.result import Estimate
from probes.statistics.distributions import midranks, normal_quantile
from probes.statistics.proportions import clopper_pearson


def auc(
    score: Float[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    *,
    name: str = "auc",
    level: float = 0.95,
) -> Estimate:
    """Area under the ROC curve, ties counted half, with DeLong's variance on the logit scale.

    score   higher for members, in any unit; finite
    member  which samples are members
    name    of the estimate; auc by default
    level   two-sided coverage of the interval, in (0, 1); 0.95 by default

    The plain normal interval covers 91 to 94 % instead of 95 % (AUC 0.92 and 0.76, 40 to 60 per side, simulated); on
    the logit scale it covers 95 to 96 %. At the edge (all members above all others) the variance is 0; there, the
    interval is Clopper–Pearson's for the smaller class, which is wider. Where all scores are equal it is 0, too; there,
    the interval allows for other scores that a share of members and of others may have (Clopper–Pearson, none seen).

    Returns the estimate, a fraction. Raises EvidenceError without members or without others, NonFiniteError on NaN or
    infinite scores. DeLong, DeLong & Clarke-Pearson 1988.

    >>> found = auc(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    >>> found.value, found.low < 0.5 < found.high
    (0.75, True)
    """
    members, others = _check(score, member)
    value, error = _delong(members, others)
    if value in (0.0, 1.0):
        smaller = min(len(members), len(others))
        low, high = clopper_pearson(round(value * smaller), smaller, level)
    elif error == 0:
        untied = (clopper_pearson(0, len(members), level)[1] + clopper_pearson(0, len(others), level)[1]) / 2
        low, high = max(0.0, value - untied), min(1.0, value + untied)
    else:
        half = normal_quantile(0.5 + level / 2) * error / (value * (1 - value))
        logit = math.log(value / (1 - value))
        low, high = (1 / (1 + math.exp(-(logit + sign * half))) for sign in (-1, 1))
    n = len(members) + len(others)
    # If the error is 0, the round trip through the logit may miss the value by the last bit.
    low, high = min(low, value), max(high, value)
    return Estimate(name=name, value=value, low=low, high=high, level=level, n=n, unit="AUC", better="lower")


def delong_standard_error(score: Float[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"]) -> float:
    """The standard error of the AUC (DeLong, DeLong & Clarke-Pearson 1988, by midranks: Sun & Xu 2014).

    score   higher for members, in any unit; finite
    member  which samples are members

    Returns the standard error. Raises EvidenceError without members or without others.

    >>> round(delong_standard_error(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])), 3)
    0.354
    """
    return _delong(*_check(score, member))[1]


def _delong(members: Float64[np.ndarray, " members"], others: Float64[np.ndarray, " others"]) -> tuple[float, float]:
    m, n = len(members), len(others)
    rank = midranks(np.concatenate([members, others]))
    value = float((rank[:m].sum() - m * (m + 1) / 2) / (m * n))
    placement_members = (rank[:m] - midranks(members)) / n
    placement_others = 1 - (rank[m:] - midranks(others)) / m
    return value, math.sqrt(_variance(placement_members) / m + _variance(placement_others) / n)


def _variance(placements: Float64[np.ndarray, " placements"]) -> float:
    return float(placements.var(ddof=1)) if len(placements) > 1 else 0.25


def tpr_at_fpr(
    score: Float[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    fpr: float,
    *,
    name: str = "tpr",
    level: float = 0.95,
) -> Estimate:
    """The largest share of members above a threshold with at most a share `fpr` of the others: no interpolation, ties
    stay together.

    score   higher for members, in any unit; finite
    member  which samples are members
    fpr     the false-positive rate, in (0, 1)
    name    of the estimate; tpr by default
    level   two-sided coverage of the interval, in (0, 1); 0.95 by default

    The interval is Clopper–Pearson's at that threshold, as if it were given; `threshold.tpr_at_true_fpr` allows for its
    being estimated. With fewer than 1/fpr non-members the rate cannot be told from 0: the estimate has a caveat.

    Returns the estimate, a fraction. Raises EvidenceError without members or others, or where `fpr` is outside (0, 1);
    NonFiniteError on NaN or infinite scores.

    >>> score = np.arange(200.0)
    >>> tpr_at_fpr(score, score >= 100, 0.01).value
    1.0
    """
    members, others = _check(score, member)
    if not 0 < fpr < 1:
        raise EvidenceError(f"Expected 0 < fpr={fpr} < 1.")
    allowed = math.floor(fpr * len(others) + 1e-9)
    # The highest threshold that the (allowed + 1)-th other does not pass; members must beat it strictly.
    threshold = np.sort(others)[::-1][allowed] if allowed < len(others) else -np.inf
    hits = int((members > threshold).sum())
    low, high = clopper_pearson(hits, len(members), level)
    needed = math.ceil(1 / fpr)
    caveat = (
        Message("statistics.unresolved-rate", {"others": len(others), "needed": needed, "fpr": fpr})
        if len(others) < needed
        else None
    )
    return Estimate(
        name=name,
        value=hits / len(members),
        low=low,
        high=high,
        level=level,
        n=len(members),
        unit="TPR",
        better="lower",
        counts=(hits, len(members)),
        caveat=caveat,
    )


def roc_curve(
    score: Float[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"]
) -> tuple[Int64[np.ndarray, " thresholds"], Int64[np.ndarray, " thresholds"]]:
    """Counts of false and true positives at every distinct threshold, from none to all.

    score   higher for members, in any unit; finite
    member  which samples are members

    Returns both counts, a threshold each. Raises EvidenceError without members or others, NonFiniteError on NaN or
    infinite scores.

    >>> false, true = roc_curve(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]))
    >>> false.tolist(), true.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 2])
    """
    _check(score, member)
    order = np.argsort(-score, kind="stable")
    true, false = np.cumsum(member[order]), np.cumsum(~member[order])
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    zero = np.zeros(1, dtype=np.int64)
    return np.concatenate([zero, false[last]]).astype(np.int64), np.concatenate([zero, true[last]]).astype(np.int64)


def _check(
    score: Float[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"]
) -> tuple[Float64[np.ndarray, " members"], Float64[np.ndarray, " others"]]:
    if score.ndim != 1:
        raise EvidenceError(f"score has shape {score.shape}, expected one axis of samples.")
    if member.shape != score.shape:
        raise EvidenceError(f"member has shape {member.shape}, expected {score.shape} as score has.")
    if member.dtype != np.bool_:
        raise EvidenceError(f"member has type {member.dtype}, expected bool.", do="Use member.astype(bool).")
    if not np.isfinite(score).all():
        raise NonFiniteError("score holds NaN or infinite values.")
    members, others = score[member].astype(np.float64), score[~member].astype(np.float64)
    if not len(members) or not len(others):
        raise EvidenceError(f"member needs members and non-members, got {len(members)} and {len(others)}.")
    return members, others
