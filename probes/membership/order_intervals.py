"""The mean over replicas, each in turn as the audited model, with intervals over orders."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int

from probes.large_arrays import AT_ONCE
from probes.message import Message
from probes.result import Estimate
from probes.statistics.roc import auc
from probes.statistics.student_t import t_critical
from probes.statistics.threshold import at_true_fpr, most_above

Stood = Float64[np.ndarray, "replicas samples"]
Kept = Bool[np.ndarray, "replicas samples"]


def over_orders(
    name: str,
    values: Float64[np.ndarray, " replicas"],
    order: Int[np.ndarray, " replicas"],
    *,
    level: float,
    unit: str,
    bounds: tuple[float, float],
    symmetric: bool = True,
) -> Estimate:
    """The mean over stand-ins with a t interval over orders: stand-ins of one order are complementary folds and not
    independent, so the order is the unit. The interval is valid for this pool and this recipe.

    name       of the estimate
    values     one per stand-in, in `unit`
    order      of each stand-in; those of an order share minibatch order and initial head
    level      two-sided coverage of the interval, in (0, 1)
    unit       of the values
    bounds     the least and the largest possible value
    symmetric  whether a chance similarity of two orders enters the scores of both; on by default

    Orders attack each other, so a chance similarity of two orders enters the scores of both. If nothing leaks, LiRA's
    mean is a degenerate U-statistic of the orders, whose variance is 2 (J − 1)/(J − 2) times s²/J (`inflation`); with
    leakage it is closer to s²/J, and the interval is wider than necessary. An attack that is not `symmetric`, such as
    RMIA, uses only the others' mean over both sides, which hardly depends on which samples they trained on: its
    variance is s²/J. The spread cannot be estimated from two orders; the interval then spans all possible values.

    Returns the estimate.

    >>> values, order = np.array([0.6, 0.62, 0.58, 0.6, 0.64, 0.62]), np.array([0, 0, 1, 1, 2, 2])
    >>> found = over_orders("recipe.auc", values, order, level=0.95, unit="fraction", bounds=(0.0, 1.0))
    >>> round(found.value, 3), found.n
    (0.61, 6)
    """
    means = np.array([values[order == own].mean() for own in np.unique(order)])
    mean, j = float(means.mean()), len(means)
    half = math.inf
    if j > 2:
        half = t_critical(level, j - 1) * float(means.std(ddof=1)) * math.sqrt((inflation(j) if symmetric else 1.0) / j)
    return Estimate(
        name=name,
        value=mean,
        low=max(bounds[0], mean - half),
        high=min(bounds[1], mean + half),
        level=level,
        n=len(values),
        counted="replicas",
        unit=unit,
        better="lower",
        dof=float(j - 1),
        caveat=None if j > 2 else Message("membership.unresolved-spread", {"repeats": j}),
    )


def tpr_over_orders(
    name: str,
    scores: Stood,
    keep: Kept,
    order: Int[np.ndarray, " replicas"],
    fpr: float,
    *,
    level: float,
    symmetric: bool = True,
) -> Estimate:
    """The mean true-positive rate at the one threshold at which all stand-ins together have a false-positive rate of
    `fpr`; its interval is corrected for that threshold too, which is set by scores that all stand-ins share.

    name       of the estimate
    scores     of each stand-in's samples, higher for members
    keep       which stand-in trained on which sample
    order      of each stand-in; those of an order share minibatch order and initial head
    fpr        the false-positive rate, in (0, 1)
    level      two-sided coverage of the interval, in (0, 1)
    symmetric  whether a chance similarity of two orders enters the scores of both; on by default

    Returns the estimate, a fraction.
    """
    others = keep.size - int(keep.sum())
    outside = _largest(scores, keep, most_above(others, fpr, level))
    rate_at = partial(_mean_rate_above, name, scores, keep, order, symmetric)
    return at_true_fpr(outside, fpr, level, rate_at, of=others)


def _mean_rate_above(
    name: str,
    scores: Stood,
    keep: Kept,
    order: Int[np.ndarray, " replicas"],
    symmetric: bool,
    threshold: float,
    level: float,
) -> Estimate:
    hits = [np.count_nonzero((score > threshold) & mask) for score, mask in zip(scores, keep, strict=True)]
    found = np.array(hits) / keep.sum(axis=1)
    return over_orders(name, found, order, level=level, unit="TPR", bounds=(0.0, 1.0), symmetric=symmetric)


def _largest(scores: Stood, keep: Kept, count: int) -> Float64[np.ndarray, " largest"]:
    """At least the `count` largest scores of samples that their stand-in did not train on, without a copy of all."""
    found, least = [np.zeros(0)], -math.inf
    for score, mask in zip(scores, keep, strict=True):
        found.append(score[~mask & (score >= least)])
        if sum(map(len, found)) > max(2 * count, AT_ONCE):
            together = np.concatenate(found)
            found = [np.partition(together, len(together) - count)[len(together) - count :]]
            least = float(found[0].min())
    return np.concatenate(found)


def inflation(orders: int) -> float:
    """Let the score of stand-in r be Σ_s h(r, s)/(J − 1) with a symmetric h of mean 0 and variance σ². Then the mean
    over r has variance 2 σ²/(J (J − 1)), while the spread s² over r is σ² (J − 2)/(J − 1)² on average."""
    return 2 * (orders - 1) / (orders - 2) if orders > 2 else math.inf


def stand_in_aucs(scores: Stood, keep: Kept) -> Float64[np.ndarray, " replicas"]:
    return np.array([auc(score, mask).value for score, mask in zip(scores, keep, strict=True)])
