"""The area under the ROC curve from pairs within strata only, unaffected by differences between strata."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.errors import EvidenceError
from probes.result import Estimate
from probes.statistics.distributions import midranks, normal_quantile


def stratified_auc(
    score: Float[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    stratum: Int[np.ndarray, " samples"],
    *,
    cluster: Int[np.ndarray, " samples"] | None = None,
    inflation: float = 1.0,
    name: str = "auc",
    level: float = 0.95,
) -> Estimate:
    """The share of pairs of a member and a non-member in one stratum in which the member ranks higher, ties counted
    half.

    score      higher for members, in any unit; finite
    member     which samples are members
    stratum    a number for each sample: only pairs inside one stratum count
    cluster    a number for each sample where samples come in clusters, such as patients; None, the default, for none
    inflation  a factor of the variance, at least 1 (the default), where the scores share more than clusters
    name       of the estimate; auc by default
    level      two-sided coverage of the interval, in (0, 1); 0.95 by default

    Strata weigh by m n / (m + n), as in Mantel and Haenszel's estimate; those without both kinds are left out. The
    variance is DeLong's, from placements inside strata, summed by cluster (Obuchowski 1997) and inflated; on the logit
    scale.

    Returns the estimate, a fraction. Raises EvidenceError if no stratum has both kinds.

    >>> score, member = np.array([1.0, 2.0, 11.0, 12.0]), np.array([False, True, False, True])
    >>> stratified_auc(score, member, np.array([0, 0, 1, 1])).value
    1.0
    """
    weights, parts = [], []
    for one in np.unique(stratum):
        mine = np.flatnonzero(stratum == one)
        m = int(member[mine].sum())
        n = len(mine) - m
        if m and n:
            parts.append((mine, *_placements(score[mine].astype(np.float64), member[mine])))
            weights.append(m * n / (m + n))
    if not parts:
        raise EvidenceError(f"{name}: no stratum has both members and non-members.")
    share = np.array(weights) / sum(weights)
    value = float(sum(w * area for w, (_, area, _) in zip(share, parts, strict=True)))
    influence = np.zeros(len(score))
    for w, (mine, _, own) in zip(share, parts, strict=True):
        influence[mine] = w * own
    used = np.concatenate([mine for mine, _, _ in parts])
    _, number = np.unique((np.arange(len(score)) if cluster is None else cluster)[used], return_inverse=True)
    sums = np.bincount(number, weights=influence[used])
    error = math.sqrt(inflation * float((sums**2).sum()) * len(sums) / max(1, len(sums) - 1))
    half = normal_quantile(0.5 + level / 2)
    if 0 < value < 1 and error > 0:
        logit, width = math.log(value / (1 - value)), half * error / (value * (1 - value))
        low, high = (1 / (1 + math.exp(-(logit + sign * width))) for sign in (-1, 1))
    else:
        # At the edge the variance is 0: use the number of pairs that the smaller side allows (the rule of three).
        slack = 3 / max(1, min(int(member[used].sum()), int((~member[used]).sum())))
        low, high = max(0.0, value - slack), min(1.0, value + slack)
    return Estimate(
        name=name,
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        n=len(used),
        unit="AUC",
        better="lower",
    )


def _placements(
    score: Float64[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"]
) -> tuple[float, Float64[np.ndarray, " samples"]]:
    """The AUC, and each sample's contribution to its error."""
    inside, outside = score[member], score[~member]
    m, n = len(inside), len(outside)
    rank = midranks(np.concatenate([inside, outside]))
    above = (rank[:m] - midranks(inside)) / n
    below = 1 - (rank[m:] - midranks(outside)) / m
    area = float(above.mean())
    influence = np.empty(m + n)
    influence[member], influence[~member] = (above - area) / m, (below - area) / n
    return area, influence
