"""Replicas are evidence only if they behave like the audited model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from probes.evidence import Evidence, Population
from probes.result import Estimate

LEVEL = 0.99


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """The audited model's behaviour against the replicas' prediction intervals, a test each."""

    estimates: tuple[Estimate, ...]
    outside: tuple[str, ...]
    level: float


def fidelity(evidence: Evidence, population: Population) -> Fidelity:
    """Member and held-out accuracy and log-loss of the audited model against the replicas' distribution: outside the
    99 % prediction interval (over all four tests, Bonferroni) the recipe does not reproduce this checkpoint."""
    pool = evidence.pool
    in_pool = pool.member | pool.held_out
    correct = population.answers.correct(evidence.labels)
    loss = -population.answers.log_prob.astype(np.float64)
    audited_correct = evidence.audited.correct(evidence.labels)[0].astype(np.float64)
    audited_loss = -evidence.audited.log_prob[0].astype(np.float64)
    level = 1 - (1 - LEVEL) / 4
    estimates, outside = [], []
    for side, mask, truth in (
        ("member", population.keep, pool.member),
        ("held_out", ~population.keep & in_pool, pool.held_out),
    ):
        for metric, values, own, unit in (
            ("accuracy", correct.astype(np.float64), audited_correct, "fraction"),
            ("log_loss", loss, audited_loss, "nats"),
        ):
            replicas = _masked_means(values, mask)
            value = float(own[truth].mean())
            name = f"fidelity.{side}_{metric}"
            low, high = prediction_interval(replicas, level)
            if not low <= value <= high:
                outside.append(name)
            estimates.append(
                Estimate(
                    name=name,
                    value=value,
                    low=min(low, value),
                    high=max(high, value),
                    level=level,
                    n=len(replicas),
                    unit=unit,
                    caveat=f"replicas' prediction interval is {low:.3g} to {high:.3g}",
                )
            )
    return Fidelity(estimates=tuple(estimates), outside=tuple(outside), level=LEVEL)


def prediction_interval(values: Float64[np.ndarray, " replicas"], level: float) -> tuple[float, float]:
    """Where the next value of the same normal distribution falls: mean ± t s √(1 + 1/R)."""
    count = len(values)
    half = float(stats.t.ppf(0.5 + level / 2, count - 1)) * float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    return float(values.mean()) - half, float(values.mean()) + half


def _masked_means(
    values: Float64[np.ndarray, "replicas samples"], mask: Bool[np.ndarray, "replicas samples"]
) -> Float64[np.ndarray, " replicas"]:
    return np.asarray(np.where(mask, values, 0.0).sum(axis=1) / mask.sum(axis=1))
