"""The .632+ bootstrap: accuracy at full size, estimated from models trained on 63.2 % of it and from how well they fit
their training samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from probes.evidence import Evidence
from probes.message import Message
from probes.population import Population
from probes.result import Estimate
from probes.statistics.student_t import t_interval

SHARE = 0.632
INTERPOLATES = 0.1
"""If the training error is below this share of the error outside, .632+ is optimistic, because it relies on the
training error (1-nearest-neighbour is the textbook case; by 2 to 3 % of accuracy in simulations)."""
ROUGHLY = 0.1
"""Largest relative difference of sizes that is ignored: whole groups cannot add up to any size."""


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """`outside` is the accuracy outside the subsamples, of models trained on 63.2 % of the size, so it is biased
    downwards; `plus` corrects for that."""

    outside: Estimate
    plus: Estimate


def bootstrap(evidence: Evidence, apparent: float, level: float) -> Bootstrap | None:
    """.632+ estimate of accuracy (Efron & Tibshirani 1997, eqs. 27–32), on subsamples of 63.2 % without replacement
    (Binder & Schumacher 2008): no replica holds a sample twice. None if the population has fewer than two subsamples.

    `apparent` is the training accuracy at full size. The variance is that of the replicas divided by their number, plus
    that of sampling the pool, which they share; degrees of freedom by Satterthwaite, because few replicas estimate
    their own variance poorly while the pool's is known. Simulated coverage is in docs/overfitting.md.
    """
    replicas = _subsampled(evidence)
    if len(replicas) < 2:
        return None
    pool = evidence.pool.member | evidence.pool.held_out
    wrong = ~replicas.answers.correct(evidence.labels)
    out = ~replicas.keep & pool
    outside = (wrong & out).sum(axis=1) / out.sum(axis=1)
    chance = no_information(evidence.labels[pool], replicas.answers.predicted[:, pool])
    plus = np.array([weighted_632(1 - apparent, float(one), chance) for one in outside])
    optimistic = 1 - apparent < INTERPOLATES * float(outside.mean())
    caveat = Message("overfitting.optimistic") if optimistic else None
    return Bootstrap(
        outside=_subsample_mean("recipe.accuracy_outside_subsamples", 1 - outside, int(pool.sum()), level),
        plus=_subsample_mean("recipe.accuracy_632plus", 1 - plus, int(pool.sum()), level, caveat),
    )


def _subsampled(evidence: Evidence) -> Population:
    """Replicas on 63.2 % of the audited model's size: those of the learning curve, and those requested in addition."""
    wanted = SHARE * float(evidence.pool.member.sum())
    population = evidence.population
    fits = np.abs(population.keep.sum(axis=1) - wanted) <= ROUGHLY * wanted
    chosen = [i for i, row in enumerate(population.rows) if row.design in ("sizes", "subsamples") and fits[i]]
    return Population(
        rows=tuple(population.rows[i] for i in chosen), answers=population.answers[np.array(chosen, dtype=np.int64)]
    )


def _subsample_mean(
    name: str, accuracy: Float64[np.ndarray, " replicas"], pool: int, level: float, caveat: Message | None = None
) -> Estimate:
    count, mean = len(accuracy), float(accuracy.mean())
    of_replicas = float(accuracy.var(ddof=1)) / count
    # Half an error more: even without errors, the pool is still a sample.
    share = float(np.clip(mean, 0.5 / pool, 1 - 0.5 / pool))
    of_pool = share * (1 - share) / pool
    dof = min(1e6, (of_replicas + of_pool) ** 2 / (of_replicas**2 / (count - 1))) if of_replicas else 1e6
    low, high = t_interval(mean, math.sqrt(of_replicas + of_pool), dof, level)
    return Estimate(
        name=name,
        value=mean,
        low=max(0.0, low),
        high=min(1.0, high),
        level=level,
        n=count,
        counted="subsamples",
        unit="fraction",
        better="higher",
        dof=dof,
        caveat=caveat,
    )


def weighted_632(apparent: float, outside: float, chance: float) -> float:
    """Error from the apparent error, the error outside the replica's samples and the no-information rate, all
    shares."""
    capped = min(outside, chance)
    overfit = (capped - apparent) / (chance - apparent) if chance > apparent and capped > apparent else 0.0
    weight = SHARE / (1 - (1 - SHARE) * overfit)
    return (1 - weight) * apparent + weight * capped


def no_information(labels: Int[np.ndarray, " samples"], predicted: Int[np.ndarray, "models samples"]) -> float:
    """γ = Σ_c p_c (1 − q_c): the error if labels and predictions were independent (eq. 27)."""
    classes = int(max(labels.max(), predicted.max())) + 1
    p = np.bincount(labels, minlength=classes) / len(labels)
    q = np.bincount(predicted.reshape(-1), minlength=classes) / predicted.size
    return float((p * (1 - q)).sum())
