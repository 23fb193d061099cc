"""What many attacks together show, paid for having tried them all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy import stats

from probes.result import Estimate
from probes.statistics.proportions import clopper_pearson
from probes.statistics.roc import auc, roc_curve, tpr_at_fpr

Scores = Mapping[str, Float64[np.ndarray, " samples"]]


def strongest_auc(scores: Scores, member: Bool[np.ndarray, " samples"], level: float) -> tuple[str, Estimate]:
    """The largest AUC over A attacks. The interval runs from the largest lower to the largest upper bound of intervals
    at 1 − (1 − level)/A, so it covers the largest true AUC at `level` however the attacks depend on each other."""
    each = level_each(level, len(scores))
    found = {name: auc(score, member, level=each) for name, score in scores.items()}
    best = max(found, key=lambda name: found[name].value)
    return best, Estimate(
        name="checkpoint.auc",
        value=found[best].value,
        low=max(estimate.low for estimate in found.values()),
        high=max(estimate.high for estimate in found.values()),
        level=level,
        n=found[best].n,
        unit="AUC",
        better="lower",
    )


def strongest_tpr(
    scores: Scores, member: Bool[np.ndarray, " samples"], fpr: float, level: float, name: str
) -> tuple[str, Estimate, float]:
    """The largest TPR at this FPR, its interval as in `strongest_auc`, and the p-value that no attack finds anything.

    The threshold is set by the non-members, so with k false positives allowed the number of members above it is, for a
    model that leaks nothing, beta-binomial(members, k + 1, non-members − k): an exact test, Bonferroni over attacks.
    """
    each = level_each(level, len(scores))
    found = {attack: tpr_at_fpr(score, member, fpr, level=each) for attack, score in scores.items()}
    best = max(found, key=lambda attack: found[attack].value)
    members, others = int(member.sum()), int((~member).sum())
    allowed = math.floor(fpr * others + 1e-9)
    hits = round(found[best].value * members)
    p_value = float(stats.betabinom.sf(hits - 1, members, allowed + 1, others - allowed))
    estimate = Estimate(
        name=name,
        value=found[best].value,
        low=max(one.low for one in found.values()),
        high=max(one.high for one in found.values()),
        level=level,
        n=members,
        unit="TPR",
        better="lower",
        caveat=found[best].caveat,
    )
    return best, estimate, min(1.0, p_value * len(scores))


def precision(
    score: Float64[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    fpr: float,
    level: float,
    name: str,
) -> Estimate:
    """Of those that the attack names at this false-positive rate, the share that are members (Clopper–Pearson): how far
    an accusation can be believed where members are as common as in this pool."""
    others = np.sort(score[~member])[::-1]
    named = score > others[min(math.floor(fpr * len(others) + 1e-9), len(others) - 1)]
    right, total = int((named & member).sum()), int(named.sum())
    if not total:
        prior = float(member.mean())
        nobody = "nobody is named at this rate: the share of members in the pool stands in for it"
        return Estimate(name=name, value=prior, low=0.0, high=1.0, level=level, n=0, unit="fraction", caveat=nobody)
    low, high = clopper_pearson(right, total, level)
    caveat = None if len(others) * fpr >= 1 else f"not resolvable: {len(others)} non-members"
    return Estimate(
        name=name,
        value=right / total,
        low=low,
        high=high,
        level=level,
        n=total,
        unit="fraction",
        better="lower",
        counts=(right, total),
        caveat=caveat,
    )


def advantage(score: Float64[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"], level: float) -> Estimate:
    """max over thresholds of TPR − FPR (Yeom 2018), with a band that pays for every threshold: the two-sided
    Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant, half the error for each rate."""
    false, true = roc_curve(score, member)
    members, others = int(member.sum()), int((~member).sum())
    value = float(np.max(true / members - false / others))
    slack = sum(math.sqrt(math.log(4 / (1 - level)) / (2 * n)) for n in (members, others))
    return Estimate(
        name="checkpoint.advantage",
        value=value,
        low=max(0.0, value - slack),
        high=min(1.0, value + slack),
        level=level,
        n=members + others,
        unit="TPR − FPR",
        better="lower",
    )


def over_orders(
    name: str,
    values: Float64[np.ndarray, " replicas"],
    order: Int[np.ndarray, " replicas"],
    *,
    level: float,
    unit: str,
    bounds: tuple[float, float],
    caveat: str | None = None,
) -> Estimate:
    """The mean over stand-ins with a t interval over orders: stand-ins of one order are complementary folds and no
    independent draws, so the order is the unit. It speaks of this pool and this recipe."""
    means = np.array([values[order == own].mean() for own in np.unique(order)])
    mean, j = float(means.mean()), len(means)
    half = float(stats.t.ppf(0.5 + level / 2, j - 1)) * float(means.std(ddof=1)) * math.sqrt(1 / j + 1 / j**2)
    return Estimate(
        name=name,
        value=mean,
        low=max(bounds[0], mean - half),
        high=min(bounds[1], mean + half),
        level=level,
        n=len(values),
        unit=unit,
        better="lower",
        dof=float(j - 1),
        caveat=caveat,
    )


def strongest_over_orders(
    name: str,
    values: Mapping[str, Float64[np.ndarray, " replicas"]],
    order: Int[np.ndarray, " replicas"],
    *,
    level: float,
    unit: str,
    bounds: tuple[float, float],
    caveat: str | None = None,
) -> tuple[str, Estimate]:
    """The largest mean over A attacks, its interval as in `strongest_auc`: it pays for having tried them all."""
    each = level_each(level, len(values))
    found = {
        attack: over_orders(name, value, order, level=each, unit=unit, bounds=bounds, caveat=caveat)
        for attack, value in values.items()
    }
    best = max(found, key=lambda attack: found[attack].value)
    low, high = (max(getattr(one, side) for one in found.values()) for side in ("low", "high"))
    return best, dataclasses.replace(found[best], low=low, high=high, level=level)


def pooled_tpr(
    scores: Float64[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"], fpr: float
) -> Float64[np.ndarray, " replicas"]:
    """Each stand-in's TPR at the one threshold that gives all stand-ins together a false-positive rate of `fpr`."""
    others = scores[~keep]
    allowed = min(math.floor(fpr * len(others) + 1e-9), len(others) - 1)
    threshold = np.partition(others, len(others) - 1 - allowed)[len(others) - 1 - allowed]
    hits = (scores > threshold) & keep
    return np.asarray(hits.sum(axis=1) / keep.sum(axis=1))


def level_each(level: float, count: int) -> float:
    return 1 - (1 - level) / max(1, count)


def stand_in_aucs(
    scores: Float64[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"]
) -> Float64[np.ndarray, " replicas"]:
    return np.array([auc(score, mask).value for score, mask in zip(scores, keep, strict=True)])
