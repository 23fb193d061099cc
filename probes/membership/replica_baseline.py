"""Do replicas, which do not know the split, answer differently about members and held-out samples?

What an attack without replicas measures is how easy a sample is for the audited model. Replicas are trained on random
parts of both sides, so how easy a sample is for them says nothing of membership unless the sides differ (Das, Zhang &
Tramèr 2025 ask the same of classifiers that see no model; those need hundreds of samples).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.evidence import Evidence
from probes.large_arrays import parts, taken
from probes.membership.strongest_attack import Clusters, attack_auc, level_each
from probes.population import Population
from probes.result import Estimate

FEWEST = 10
"""Fewest samples on either side that replicas of both kinds have answered about."""
Balanced = Float64[np.ndarray, " samples"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReplicaBaseline:
    """How differently models that do not know the split answer about its sides.

    auc    of the mean margin over replicas, or of their mean certainty if that differs more, a fraction
    score  that mean, of each sample; NaN where replicas that it needs are lacking
    """

    auc: Estimate
    score: Balanced

    @property
    def differs(self) -> bool:
        return self.auc.low > 0.5 or self.auc.high < 0.5


def replica_baseline(
    evidence: Evidence,
    population: Population,
    level: float,
    clusters: Clusters | None = None,
    saw: Bool[np.ndarray, "replicas samples"] | None = None,
) -> ReplicaBaseline | None:
    """The mean margin, and minus the mean entropy, of replicas as scores of membership in the audited model: of the
    two, the one whose AUC is farther from one half. Replicas that trained on a sample and those that did not have half
    of the weight each, so that which of them trained on it has no effect.

    evidence    the pool and its split
    population  the replicas
    level       two-sided coverage of the interval, in (0, 1), corrected for both
    clusters    a number for each sample where whole groups are members or not; None, the default, for none
    saw         which replica trained on the sample or on a copy of it, where copies are on one side: more copies are
                remembered better, so the mean is then over replicas that saw none; None, the default, where there are
                no such copies

    Returns the AUC, above one half where replicas are surer of members, and the scores; None without replicas of both
    kinds, or that saw no copy, on FEWEST samples of either side.
    """
    pooled = evidence.pool.indices
    member, keep = evidence.pool.member[pooled], taken(population.keep, pooled, axis=-1)
    known = np.zeros(len(pooled), dtype=bool)
    if len(keep):
        known = np.asarray(keep.any(axis=0) & ~keep.all(axis=0) if saw is None else ~saw.all(axis=0))
    if min(member[known].sum(), (~member[known]).sum()) < FEWEST:
        return None
    each, own = level_each(level, 2), None if clusters is None else clusters[known]
    found = []
    for answers, sign in ((population.answers.margin, 1.0), (population.answers.entropy, -1.0)):
        mine = taken(answers, pooled, axis=-1)
        score = sign * (balanced_mean(mine, keep) if saw is None else mean_outside(mine, saw))
        found.append((attack_auc(score[known], member[known], "split.replicas_auc", each, own), score))
    auc, score = max(found, key=lambda one: abs(one[0].value - 0.5))
    return ReplicaBaseline(auc=dataclasses.replace(auc, level=level, better="neither"), score=score)


def balanced_mean(answers: Float[np.ndarray, "replicas samples"], keep: np.ndarray) -> Balanced:
    """The mean of two means: over replicas that trained on the sample, and over the others.

    >>> balanced_mean(np.array([[4.0], [2.0], [0.0]]), np.array([[True], [True], [False]]))
    array([1.5])
    """
    found = np.empty(keep.shape[1])
    for part in parts(keep.shape[1], len(keep)):
        inside, some = keep[:, part], answers[:, part].astype(np.float64)
        with np.errstate(invalid="ignore"):
            within = np.where(inside, some, 0.0).sum(axis=0) / inside.sum(axis=0)
            without = np.where(inside, 0.0, some).sum(axis=0) / (~inside).sum(axis=0)
        found[part] = (within + without) / 2
    return found


def mean_outside(answers: Float[np.ndarray, "replicas samples"], saw: np.ndarray) -> Balanced:
    """The mean over replicas that did not see the sample.

    >>> mean_outside(np.array([[4.0], [2.0], [0.0]]), np.array([[True], [False], [False]]))
    array([1.])
    """
    found = np.empty(saw.shape[1])
    for part in parts(saw.shape[1], len(saw)):
        outside = ~saw[:, part]
        with np.errstate(invalid="ignore"):
            found[part] = np.where(outside, answers[:, part].astype(np.float64), 0.0).sum(axis=0) / outside.sum(axis=0)
    return found
