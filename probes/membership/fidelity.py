"""Replicas are evidence only if they behave like the audited model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from probes.evidence import Evidence
from probes.membership.behaviour import behaviour
from probes.message import Message
from probes.population import Population
from probes.result import Estimate
from probes.statistics.student_t import t_critical

LEVEL = 0.99
WHAT = {
    "margin_deviation": "deviation of margins",
    "margin_spread": "spread of margins",
    "overconfidence": "overconfidence",
    "errors": "change of errors",
}
TESTS = 8
"""Four tests of means and four of behaviour, at LEVEL over all (Bonferroni)."""
SMALLEST_LOSS = 1e-12
"""Nats; smaller losses are rounding errors."""
ROUNDING = 1e-9
"""Smallest width: replicas that all behave identically would give an interval of width zero."""


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """The audited model's behaviour compared with the replicas' prediction intervals, one test per row."""

    estimates: tuple[Estimate, ...]
    outside: tuple[Message, ...]
    level: float
    accuracies: tuple[float, float] = (0.0, 1.0)
    """Models with held-out accuracies in this range could not have been distinguished from this one by the replicas."""


def fidelity(evidence: Evidence, population: Population) -> Fidelity:
    """Member and held-out accuracy and log-loss of the audited model, and its behaviour sample by sample, compared with
    the replicas' distribution: outside the 99 % prediction interval (over all tests, Bonferroni) the recipe does not
    reproduce this checkpoint."""
    pool = evidence.pool
    in_pool = pool.member | pool.held_out
    correct = population.answers.correct(evidence.labels)
    audited_correct = evidence.audited.correct(evidence.labels)[0].astype(np.float64)
    audited_loss = -evidence.audited.log_prob[0].astype(np.float64)
    level = 1 - (1 - LEVEL) / TESTS
    estimates, outside = [], []
    for side, mask, truth in (
        ("member", population.keep, pool.member),
        ("held_out", ~population.keep & in_pool, pool.held_out),
    ):
        for metric, values, sign, own in (
            ("accuracy", correct, 1.0, audited_correct),
            ("log_loss", population.answers.log_prob, -1.0, audited_loss),
        ):
            replicas = sign * _masked_means(values, mask)
            shares = metric == "accuracy"
            value = float(own[truth].mean()) if shares else max(float(own[truth].mean()), SMALLEST_LOSS)
            low, high = share_interval(replicas, level, int(truth.sum())) if shares else loss_interval(replicas, level)
            if not low * (1 - ROUNDING) <= value <= high * (1 + ROUNDING):
                code = "membership.outside-share" if shares else "membership.outside-loss"
                what = f"{side} {metric}".replace("_", "-")
                outside.append(Message(code, {"what": what, "value": value, "low": low, "high": high}))
            estimates.append(
                _predicted(
                    f"fidelity.{side}_{metric}", value, (low, high), replicas, level, "fraction" if shares else "nats"
                )
            )
    told, beyond = _by_behaviour(evidence, population, level)
    return Fidelity(
        estimates=(*estimates, *told), outside=(*outside, *beyond), level=LEVEL, accuracies=_accuracies(estimates)
    )


def _predicted(
    name: str,
    own: float,
    interval: tuple[float, float],
    replicas: Float64[np.ndarray, " replicas"],
    level: float,
    unit: str,
) -> Estimate:
    """What the replicas predict; the model's own value, which may lie outside, is told beside it."""
    low, high = interval
    middle = float(np.median(replicas))
    return Estimate(
        name=name,
        value=min(max(middle, low), high),
        low=low,
        high=high,
        level=level,
        n=len(replicas),
        counted="replicas",
        unit=unit,
        aid=True,
        caveat=Message("membership.own-value", {"value": own}),
    )


def _accuracies(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """The ends of the replicas' prediction interval for held-out accuracy."""
    found = next(one for one in estimates if one.name == "fidelity.held_out_accuracy")
    return found.low, found.high


def _by_behaviour(evidence: Evidence, population: Population, level: float) -> tuple[list[Estimate], list[Message]]:
    """Tests of differences that means do not show: margins sample by sample, their spread, confidence, and which
    answers are wrong.

    Omitted if there are too few replicas of other orders to compare with."""
    found = behaviour(evidence, population)
    estimates, outside = [], []
    for name, values, unit in (
        ("margin_deviation", found.deviation, "nats"),
        ("margin_spread", found.spread, "nats"),
        ("overconfidence", found.overconfidence, "points"),
        ("errors", found.errors, "fraction"),
    ):
        value, replicas = float(values[0]), values[1:]
        if not np.isfinite(values).all() or len(replicas) < 2:
            continue
        low, high = loss_interval(replicas, level) if unit == "nats" else prediction_interval(replicas, level)
        if unit == "fraction":
            low, high = max(low, 0.0), min(high, 1.0)
        room = ROUNDING * max(1.0, abs(low), abs(high))
        if not low - room <= max(value, SMALLEST_LOSS if unit == "nats" else value) <= high + room:
            code = "membership.outside-loss" if unit == "nats" else "membership.outside-share"
            outside.append(Message(code, {"what": WHAT[name], "value": value, "low": low, "high": high}))
        estimates.append(_predicted(f"fidelity.{name}", value, (low, high), replicas, level, unit))
    return estimates, outside


def prediction_interval(values: Float64[np.ndarray, " replicas"], level: float) -> tuple[float, float]:
    """Prediction interval of a further value of the same normal distribution: mean ± t s √(1 + 1/R)."""
    count = len(values)
    half = t_critical(level, count - 1) * float(values.std(ddof=1)) * math.sqrt(1 + 1 / count)
    return float(values.mean()) - half, float(values.mean()) + half


def share_interval(shares: Float64[np.ndarray, " replicas"], level: float, n: int) -> tuple[float, float]:
    """On the arcsine scale, which stabilises the variance of shares near 1, widened by one sample of `n`: replicas
    without any error do not rule out a first error of the next one."""
    ends = np.clip(prediction_interval(np.arcsin(np.sqrt(shares)), level), 0, np.pi / 2)
    low, high = np.sin(ends) ** 2
    return max(0.0, float(low) - 1 / n), min(1.0, float(high) + 1 / n)


def loss_interval(losses: Float64[np.ndarray, " replicas"], level: float) -> tuple[float, float]:
    """On the logarithmic scale: losses are positive, and their spread grows with them."""
    low, high = prediction_interval(np.log(np.maximum(losses, SMALLEST_LOSS)), level)
    return math.exp(low), math.exp(min(high, 700.0))


def _masked_means(
    values: Shaped[np.ndarray, "replicas samples"], mask: Bool[np.ndarray, "replicas samples"]
) -> Float64[np.ndarray, " replicas"]:
    """Replica by replica, in float64."""
    sums = [np.where(chosen, row.astype(np.float64), 0.0).sum() for row, chosen in zip(values, mask, strict=True)]
    return np.asarray(np.array(sums) / mask.sum(axis=1))
