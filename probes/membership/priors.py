"""How far an accusation can be believed, given how likely membership was beforehand: Bayes' rule at a false-positive
rate."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from probes.message import Message
from probes.result import Estimate, Table

PRIORS: tuple[int, ...] = (2, 10, 1000)
"""One in this many is a member, before the model is queried."""


def precision_at(tpr: float, fpr: float, prior: float) -> float:
    """Of those named by an attack, the share that are members: π·TPR / (π·TPR + (1 − π)·FPR).

    tpr, fpr  true- and false-positive rates of the attack, in [0, 1]
    prior     π, the share of members among those attacked, in [0, 1]

    Returns a fraction.

    >>> precision_at(0.2, 0.01, 0.5)
    0.9523809523809523
    >>> round(precision_at(0.2, 0.01, 0.001), 4)
    0.0196
    """
    named = prior * tpr + (1 - prior) * fpr
    return prior * tpr / named if named > 0 else prior


def at_priors(tpr: Estimate, fpr: float) -> tuple[Estimate, ...]:
    """Precision of an attack at several shares of members. It increases with the true-positive rate, so its interval is
    obtained by mapping the ends of that rate's interval.

    tpr  true-positive rate of an attack, with its interval
    fpr  the false-positive rate at which it was measured, in (0, 1)

    Returns an estimate for each prior.
    """
    return tuple(
        dataclasses.replace(
            tpr,
            name=f"checkpoint.precision_at_{100 * fpr:g}pct_fpr.prior_1_in_{count}",
            value=precision_at(tpr.value, fpr, 1 / count),
            low=precision_at(tpr.low, fpr, 1 / count),
            high=precision_at(tpr.high, fpr, 1 / count),
            unit="fraction",
            counts=None,
            title=Message("membership.precision-at-prior", {"fpr": fpr, "prior": count}),
        )
        for count in PRIORS
    )


def priors_table(rates: Sequence[tuple[float, Estimate]], members: int) -> Table:
    """How many the strongest attack singles out, and how certainly: one row per false-positive rate and prior. `rates`
    are pairs of false-positive rate and true-positive rate."""
    rows = [
        (fpr, rate, count, one) for fpr, rate in rates for count, one in zip(PRIORS, at_priors(rate, fpr), strict=True)
    ]
    return Table(
        name="priors",
        title=Message("membership.priors.title"),
        caption=Message("membership.priors.caption"),
        columns={
            "false-positive rate": [f"{100 * fpr:g} %" for fpr, _, _, _ in rows],
            "members singled out": [
                Message("membership.count-of", {"count": round(rate.value * members), "of": members})
                for _, rate, _, _ in rows
            ],
            "prior": [f"1 in {count}" for _, _, count, _ in rows],
            "precision": [round(one.value, 4) for _, _, _, one in rows],
            "low": [round(one.low, 4) for _, _, _, one in rows],
            "high": [round(one.high, 4) for _, _, _, one in rows],
        },
    )
