"""Estimates of the strongest of many attacks, corrected for having tried all of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy
from jaxtyping import Bool, Float64, Int

from probes.message import Message
from probes.pairing import Pairing
from probes.result import Estimate
from probes.statistics.roc import auc, roc_curve
from probes.statistics.stratified_auc import stratified_auc
from probes.statistics.threshold import tpr_at_true_fpr

Scores = Mapping[str, Float64[np.ndarray, " samples"]]
Clusters = Int[np.ndarray, " samples"]


def strongest(found: Mapping[str, Estimate], level: float) -> tuple[str, Estimate]:
    """The largest of A attacks' estimates at 1 − (1 − level)/A. The interval runs from the largest lower to the largest
    upper bound, so it covers the largest true value at `level`, however the attacks depend on each other.

    found  an estimate for each attack, at 1 − (1 − level)/A
    level  that the interval of the largest has, in (0, 1)

    Returns the attack's name and the estimate.
    """
    best = max(found, key=lambda name: found[name].value)
    low, high = (max(getattr(one, side) for one in found.values()) for side in ("low", "high"))
    return best, dataclasses.replace(found[best], low=low, high=high, level=level)


def strongest_auc(
    scores: Scores, member: Bool[np.ndarray, " samples"], level: float, clusters: Clusters | None = None
) -> tuple[str, Estimate]:
    """The largest AUC over the attacks.

    scores    of each sample, by attack, higher for members
    member    which samples are members
    level     two-sided coverage of the interval, in (0, 1)
    clusters  a number for each sample where whole groups are members or not; None, the default, for none

    Returns the attack's name and the estimate, a fraction.
    """
    each = level_each(level, len(scores))
    found = {name: attack_auc(score, member, "checkpoint.auc", each, clusters) for name, score in scores.items()}
    best, overall = strongest(found, level)
    made_of = Pairing(statistic="auc", columns=("membership.attack_score",), part="member", less="held_out")
    return best, dataclasses.replace(overall, pairing=made_of)


def attack_auc(
    score: Float64[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    name: str,
    level: float,
    clusters: Clusters | None = None,
) -> Estimate:
    """The AUC of one attack.

    score     of each sample, higher for members
    member    which samples are members
    name      of the estimate
    level     two-sided coverage of the interval, in (0, 1)
    clusters  the group of each sample, where a model gives answers to whole groups: the interval allows for that; None,
              the default, for none

    Returns the estimate, a fraction.
    """
    if clusters is None:
        return auc(score, member, name=name, level=level)
    one_stratum = np.zeros(len(score), dtype=np.int64)
    return stratified_auc(score, member, one_stratum, cluster=clusters, name=name, level=level)


def strongest_tpr(
    scores: Scores, member: Bool[np.ndarray, " samples"], fpr: float, level: float, name: str
) -> tuple[Estimate, float]:
    """The largest TPR at this FPR, with an interval as in `strongest`, and the p-value of the hypothesis that no attack
    works.

    scores  of each sample, by attack, higher for members
    member  which samples are members
    fpr     the false-positive rate, in (0, 1)
    level   two-sided coverage of the interval, in (0, 1)
    name    of the estimate

    The threshold is set by the non-members, so with k false positives allowed the number of members above it is, for a
    model that leaks nothing, beta-binomial(members, k + 1, non-members − k): an exact test, Bonferroni over attacks.

    Returns the estimate, a fraction, and the p-value.
    """
    each = level_each(level, len(scores))
    found = {attack: tpr_at_true_fpr(score, member, fpr, name=name, level=each) for attack, score in scores.items()}
    _, estimate = strongest(found, level)
    members, others = int(member.sum()), int((~member).sum())
    allowed = math.floor(fpr * others + 1e-9)
    hits = round(estimate.value * members)
    p_value = float(scipy.stats.betabinom.sf(hits - 1, members, allowed + 1, others - allowed))
    return estimate, min(1.0, p_value * len(scores))


def surest(p_values: Sequence[float], level: float) -> int | None:
    """Which of several rates exceeds chance most surely, if any does: Bonferroni, at half of the error, because the AUC
    has the other half.

    >>> surest([0.5, 0.002], 0.95), surest([0.5, 0.02], 0.95)
    (1, None)
    """
    if not p_values or min(p_values) * len(p_values) > (1 - level) / 2:
        return None
    return int(np.argmin(p_values))


def precision(tpr: Estimate, members: int, others: int, fpr: float, name: str) -> Estimate:
    """Of those named by an attack at this false-positive rate, the share that are members: how far an accusation can be
    believed if members are as common as in this pool. It increases with `tpr`, so its interval is obtained from that of
    `tpr`.

    tpr              true-positive rate of the attack, with its interval
    members, others  the number of each
    fpr              the false-positive rate, in (0, 1)
    name             of the estimate

    Returns the estimate, a fraction.
    """

    def of(rate: float) -> float:
        return rate * members / (rate * members + fpr * others)

    return dataclasses.replace(
        tpr,
        name=name,
        value=of(tpr.value),
        low=of(tpr.low),
        high=of(tpr.high),
        n=members + others,
        unit="fraction",
        title=Message("membership.precision", {"fpr": fpr}),
    )


def strongest_advantage(scores: Scores, member: Bool[np.ndarray, " samples"], level: float) -> Estimate:
    """The largest TPR − FPR over thresholds (Yeom et al. 2018) and attacks.

    scores  of each sample, by attack, higher for members
    member  which samples are members
    level   two-sided coverage of the interval, in (0, 1)

    The band is corrected for every threshold by the Dvoretzky–Kiefer–Wolfowitz inequality with Massart's constant, half
    the error for each rate, and for the attacks as in `strongest`. It is wide: even if its lower end is 0, the AUC may
    still show a leak.

    Returns the estimate, a fraction.
    """
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


def level_each(level: float, count: int) -> float:
    return 1 - (1 - level) / max(1, count)
