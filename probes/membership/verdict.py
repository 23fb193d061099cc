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
) -> tuple[Estimate, float]:
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
    return estimate, min(1.0, p_value * len(scores))


def strongest_precision(
    scores: Scores, member: Bool[np.ndarray, " samples"], fpr: float, level: float, name: str
) -> Estimate:
    """Of those that an attack names at this false-positive rate, the share that are members: how far an accusation can
    be believed where members are as common as in this pool. Of the attack with the largest lower end; the interval as
    in `strongest_auc`.

    With k false alarms allowed, k non-members are named and members until the next one: inverse sampling, for which
    Clopper–Pearson's lower end is the exact test's.
    """
    each = level_each(level, len(scores))
    counted = [_named(score, member, fpr) for score in scores.values()]
    found = [(*counts, *clopper_pearson(*counts, each)) for counts in counted if counts[1]]
    others = int((~member).sum())
    if not found:
        prior = float(member.mean())
        nobody = "nobody is named at this rate: the share of members in the pool stands in for it"
        return Estimate(name=name, value=prior, low=0.0, high=1.0, level=level, n=0, unit="fraction", caveat=nobody)
    right, total, low, _ = max(found, key=lambda one: one[2])
    return Estimate(
        name=name,
        value=right / total,
        low=low,
        high=max(one[3] for one in found),
        level=level,
        n=total,
        unit="fraction",
        better="lower",
        caveat=None if others * fpr >= 1 else f"not resolvable: {others} non-members",
    )


def _named(score: Float64[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"], fpr: float) -> tuple[int, int]:
    """Members among those named, and all those named."""
    others = np.sort(score[~member])[::-1]
    named = score > others[min(math.floor(fpr * len(others) + 1e-9), len(others) - 1)]
    return int((named & member).sum()), int(named.sum())


def strongest_advantage(scores: Scores, member: Bool[np.ndarray, " samples"], level: float) -> Estimate:
    """The largest TPR − FPR over thresholds (Yeom et al. 2018) and attacks. The band pays for every threshold by the
    Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant, half the error for each rate, and for the attacks as
    in `strongest_auc`. It is wide: where its low end is 0, the AUC may still show a leak."""
    members, others = int(member.sum()), int((~member).sum())
    curves = [roc_curve(score, member) for score in scores.values()]
    value = max(float(np.max(true / members - false / others)) for false, true in curves)
    alpha = 1 - level_each(level, len(scores))
    slack = sum(math.sqrt(math.log(4 / alpha) / (2 * n)) for n in (members, others))
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
    independent draws, so the order is the unit. It speaks of this pool and this recipe.

    Orders attack each other, so what two of them share by chance stands in the scores of both. Where nothing leaks,
    LiRA's mean is a degenerate U-statistic of the orders, whose variance is 2 (J − 1)/(J − 2) times s²/J (`inflation`);
    with leakage it is nearer s²/J, and the interval is wider than it need be. Two orders cannot tell their spread: all
    is possible then.
    """
    means = np.array([values[order == own].mean() for own in np.unique(order)])
    mean, j = float(means.mean()), len(means)
    half = math.inf
    if j > 2:
        half = float(stats.t.ppf(0.5 + level / 2, j - 1)) * float(means.std(ddof=1)) * math.sqrt(inflation(j) / j)
    elif caveat is None:
        caveat = f"not resolvable: {j} repeats, 3 needed to tell their spread"
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


def inflation(orders: int) -> float:
    """Let stand-in r score Σ_s h(r, s)/(J − 1) with a symmetric h of mean 0 and variance σ². Then the mean over r has
    variance 2 σ²/(J (J − 1)), while the spread s² over r is σ² (J − 2)/(J − 1)² on average."""
    return 2 * (orders - 1) / (orders - 2) if orders > 2 else math.inf


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
