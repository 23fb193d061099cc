"""Multiple validation: each method's estimate of held-out accuracy, and whether they agree."""

from __future__ import annotations

import itertools
import math

import numpy as np
from jaxtyping import Int
from scipy import stats

from probes.evidence import Evidence
from probes.overfitting.part import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.level import at_level

SHARE = 0.632
DISAGREE_AT = 0.01


def bootstrap_632_plus(evidence: Evidence, apparent: float, level: float) -> Estimate | None:
    """.632+ estimate of accuracy (Efron & Tibshirani 1997, eqs. 27–32), on subsamples of 63.2 % without replacement
    (Binder & Schumacher 2008): no replica holds a sample twice. None where the population has fewer than two.

    `apparent` is the training accuracy at full size. The variance is the replicas' over their number, plus the
    sampling of the pool, which they share.
    """
    sizes = evidence.population.design("sizes")
    wanted = round(SHARE * int(evidence.pool.member.sum()))
    chosen = np.flatnonzero(sizes.keep.sum(axis=1) == wanted) if len(sizes) else np.zeros(0, dtype=np.int64)
    if len(chosen) < 2:
        return None
    pool = evidence.pool.member | evidence.pool.held_out
    wrong = ~sizes.answers.correct(evidence.labels)[chosen]
    out = ~sizes.keep[chosen] & pool
    outside = (wrong & out).sum(axis=1) / out.sum(axis=1)
    chance = no_information(evidence.labels[pool], sizes.answers.predicted[chosen][:, pool])
    values = 1 - np.array([weighted_632(1 - apparent, float(one), chance) for one in outside])
    mean, count = float(values.mean()), len(values)
    variance = float(values.var(ddof=1)) / count + mean * (1 - mean) / int(pool.sum())
    half = float(stats.t.ppf(0.5 + level / 2, count - 1)) * float(np.sqrt(variance))
    return Estimate(
        name="recipe.accuracy_632plus",
        value=mean,
        low=max(0.0, mean - half),
        high=min(1.0, mean + half),
        level=level,
        n=count,
        unit="fraction",
        better="higher",
        dof=float(count - 1),
    )


def weighted_632(apparent: float, outside: float, chance: float) -> float:
    """Error from apparent error, error outside the replica's samples and no-information rate, all shares."""
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


def multiple_validation(methods: list[tuple[str, Estimate]], level: float, *, comparable: bool = True) -> Part:
    """The table, and a finding where two methods' intervals cannot both be right. Models of other training sizes are
    not `comparable`: they ought to differ."""
    clashes = []
    pairs = list(itertools.combinations(methods, 2)) if comparable else []
    for (name, one), (other_name, other) in pairs:
        # Two-sided, and each pair pays for all pairs.
        reach = math.hypot(_reach(one, other.value, len(pairs)), _reach(other, one.value, len(pairs)))
        if abs(one.value - other.value) > reach:
            clashes.append((name, one, other_name, other))
    return Part(findings=tuple(_clash(*clash) for clash in clashes), figures=(_table(methods, level),))


def _reach(one: Estimate, towards: float, pairs: int) -> float:
    low, high = at_level(one, 1 - DISAGREE_AT / max(1, pairs))
    return high - one.value if towards > one.value else one.value - low


def _clash(name: str, one: Estimate, other_name: str, other: Estimate) -> Finding:
    return Finding(
        code="overfitting.validations-disagree",
        severity="medium",
        claim=f"Two validations disagree: {name} says {one.value:.1%} ({one.low:.1%} to {one.high:.1%}), {other_name} "
        f"says {other.value:.1%} ({other.low:.1%} to {other.high:.1%}). One of the splits is not what it seems.",
        because=(one.name, other.name),
        values={
            "one": name,
            "one_value": round(one.value, 3),
            "other": other_name,
            "other_value": round(other.value, 3),
        },
    )


def _table(methods: list[tuple[str, Estimate]], level: float) -> Table:
    return Table(
        name="validations",
        title="Multiple validation",
        caption=f"Held-out accuracy by each method, with its {level:.0%} interval; n is samples, or folds of a recipe.",
        columns={
            "method": [name for name, _ in methods],
            "accuracy": [round(one.value, 4) for _, one in methods],
            "low": [round(one.low, 4) for _, one in methods],
            "high": [round(one.high, 4) for _, one in methods],
            "n": [one.n for _, one in methods],
        },
    )
