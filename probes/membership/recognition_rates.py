"""How often each person, or record, is recognised by models that trained on it, with simultaneous intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import special

from probes.membership.exposure import Exposure
from probes.membership.order_intervals import Kept, Stood, inflation
from probes.membership.strongest_attack import level_each, strongest
from probes.result import Estimate
from probes.statistics.student_t import t_critical
from probes.statistics.threshold import at_true_fpr

FPR = 0.01
"""The false-positive rate at which somebody counts as singled out."""
Order = Int[np.ndarray, " replicas"]


def threshold_at(others: Float64[np.ndarray, " others"], fpr: float = FPR) -> float:
    """The highest threshold that at most a share `fpr` of the others exceeds.

    >>> threshold_at(np.arange(100.0))
    98.0
    """
    return float(np.sort(others)[::-1][math.floor(fpr * len(others) + 1e-9)])


@dataclass(frozen=True, kw_only=True, eq=False)
class RecognitionRates:
    """The share of the models that trained on a person (or record) in which its score exceeds a threshold, and the
    share of the other models; the `low` and `high` bounds hold simultaneously.

    Orders attack each other: if the margins of those that trained on a person happen to be high together, all of them
    recognise it. So orders count as fewer trials, by the factor of `order_intervals.inflation`.
    """

    rate: Float64[np.ndarray, " persons"]
    low: Float64[np.ndarray, " persons"]
    high: Float64[np.ndarray, " persons"]
    falsely: Float64[np.ndarray, " persons"]
    models: Int[np.ndarray, " persons"]

    @staticmethod
    def of(scores: Stood, kept: Kept, order: Order, level: float, threshold: float | None = None) -> RecognitionRates:
        """At the `threshold`, or at the one exceeded by a share `FPR` of all scores of models without the person."""
        above = scores > (threshold_at(scores[~kept]) if threshold is None else threshold)
        rate, orders = _rate_by_order(above, kept, order)
        low, high = simultaneous(rate, orders / inflation(len(np.unique(order))), level)
        return RecognitionRates(
            rate=rate,
            low=low,
            high=high,
            falsely=(above & ~kept).sum(axis=0) / np.maximum(1, (~kept).sum(axis=0)),
            models=kept.sum(axis=0),
        )


def _rate_by_order(
    above: Bool[np.ndarray, "replicas persons"], kept: Kept, order: Order
) -> tuple[Float64[np.ndarray, " persons"], Int[np.ndarray, " persons"]]:
    """The mean over orders of the share found in an order, and the number of orders: folds of one order are not
    independent, so each order counts as one trial."""
    total, count = np.zeros(above.shape[1]), np.zeros(above.shape[1], dtype=np.int64)
    for own in np.unique(order):
        mine = order == own
        inside = kept[mine].sum(axis=0)
        total += (above[mine] & kept[mine]).sum(axis=0) / np.maximum(1, inside)
        count += inside > 0
    return total / np.maximum(1, count), count


def simultaneous(
    rate: Float64[np.ndarray, " persons"], trials: Float[np.ndarray, " persons"], level: float
) -> tuple[Float64[np.ndarray, " persons"], Float64[np.ndarray, " persons"]]:
    """Clopper–Pearson's interval of every rate; all hold simultaneously with probability `level` (Bonferroni).

    A trial may succeed in part: of all variables on [0, 1] with a given mean, the Bernoulli variable has the largest
    variance, so its interval is wide enough (Hoeffding 1963).

    >>> low, high = simultaneous(np.array([1.0, 0.0]), np.array([8.0, 8.0]), 0.95)
    >>> low.round(3), high.round(3)
    (array([0.578, 0.   ]), array([1.   , 0.422]))
    """
    tail = (1 - level_each(level, len(rate))) / 2
    hits = rate * trials
    low = np.where(hits <= 0, 0.0, special.betaincinv(np.maximum(hits, 1e-9), trials - hits + 1, tail))
    high = np.where(hits >= trials, 1.0, special.betaincinv(hits + 1, np.maximum(trials - hits, 1e-9), 1 - tail))
    return np.asarray(low), np.asarray(high)


@dataclass(frozen=True, kw_only=True, eq=False)
class Moved:
    """By how much each person's mean margin increases when a model trains on them, in nats; the `low` and `high` bounds
    hold simultaneously (Bonferroni, t with moderated variances)."""

    value: Float64[np.ndarray, " persons"]
    low: Float64[np.ndarray, " persons"]
    high: Float64[np.ndarray, " persons"]
    dof: float

    @staticmethod
    def of(exposed: Exposure, level: float) -> Moved:
        """NaN if a person has no exposure."""
        half = t_critical(level_each(level, len(exposed.value)), exposed.dof) * exposed.deviation
        return Moved(value=exposed.value, low=exposed.value - half, high=exposed.value + half, dof=exposed.dof)

    def largest(self, name: str, level: float) -> Estimate:
        """From the largest lower to the largest upper bound: it covers the largest true value at `level`."""
        return Estimate(
            name=name,
            value=float(np.nanmax(self.value)),
            low=float(np.nanmax(self.low)),
            high=float(np.nanmax(self.high)),
            level=level,
            n=len(self.value),
            unit="nats",
            better="lower",
            dof=self.dof if math.isfinite(self.dof) else None,
        )


def worst_recognised(name: str, scores: Mapping[str, Stood], kept: Kept, order: Order, level: float) -> Estimate:
    """The largest rate over persons (or records) and attacks. For each attack the interval runs from the largest lower
    to the largest upper bound of simultaneous intervals, and is also corrected for the threshold.

    name    of the estimate
    scores  of each stand-in's persons (or records), by attack
    kept    which stand-in trained on which of them
    order   of each stand-in
    level   two-sided coverage of the interval, in (0, 1)

    Returns the estimate, a fraction.
    """
    each = level_each(level, len(scores))

    def at(one: Stood) -> Callable[[float, float], Estimate]:
        def rate_at(threshold: float, at_level: float) -> Estimate:
            found = RecognitionRates.of(one, kept, order, at_level, threshold)
            return Estimate(
                name=name,
                value=float(found.rate.max()),
                low=float(found.low.max()),
                high=float(found.high.max()),
                level=at_level,
                n=kept.shape[1],
                unit="fraction",
                better="lower",
            )

        return rate_at

    rates = {attack: at_true_fpr(one[~kept], FPR, each, at(one)) for attack, one in scores.items()}
    return strongest(rates, level)[1]
