"""Multiple validation: each method's estimate of held-out accuracy, and whether they agree."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.confidence_level import at_level

DISAGREE_AT = 0.01


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to estimate held-out accuracy. Where it `leans` to one side for a known reason, it is listed, not held
    against the others."""

    name: str
    estimate: Estimate
    counted: str
    leans: str = ""


def multiple_validation(methods: list[Method], level: float, *, comparable: bool = True) -> Part:
    """The table, and whether two methods' intervals cannot both be right. Models of other training sizes are not
    `comparable`: they ought to differ."""
    fair = [method for method in methods if not method.leans] if comparable else []
    pairs = list(itertools.combinations(fair, 2))
    clashes = []
    for one, other in pairs:
        # Two-sided, and each pair pays for all pairs.
        reach = math.hypot(
            _reach(one.estimate, other.estimate.value, len(pairs)),
            _reach(other.estimate, one.estimate.value, len(pairs)),
        )
        if abs(one.estimate.value - other.estimate.value) > reach:
            clashes.append((one, other))
    findings = [_clash(*clash) for clash in clashes]
    if pairs and not clashes:
        findings.append(_agree(fair))
    return Part(findings=tuple(findings), figures=(_table(methods, level),))


def _reach(one: Estimate, towards: float, pairs: int) -> float:
    low, high = at_level(one, 1 - DISAGREE_AT / max(1, pairs))
    return high - one.value if towards > one.value else one.value - low


def _clash(one: Method, other: Method) -> Finding:
    a, b = one.estimate, other.estimate
    of_one_model = a.name.partition(".")[0] == b.name.partition(".")[0]
    or_else = "" if of_one_model else ", or the recipe is not that of this checkpoint"
    return Finding(
        code="overfitting.validations-disagree",
        severity="medium",
        claim=f"Two validations disagree: {one.name} says {a.value:.1%} ({a.low:.1%} to {a.high:.1%}), {other.name} "
        f"says {b.value:.1%} ({b.low:.1%} to {b.high:.1%}). One of the splits is not what it seems{or_else}.",
        because=(a.name, b.name),
        values={
            "one": one.name,
            "one_value": round(a.value, 3),
            "other": other.name,
            "other_value": round(b.value, 3),
        },
    )


def _agree(methods: list[Method]) -> Finding:
    values = [method.estimate.value for method in methods]
    return Finding(
        code="overfitting.validations-agree",
        severity="info",
        claim=f"{len(methods)} validations agree: held-out accuracy from {min(values):.1%} to {max(values):.1%}, no "
        "two further apart than chance allows.",
        because=tuple(method.estimate.name for method in methods),
        values={"count": len(methods), "low": round(min(values), 3), "high": round(max(values), 3)},
    )


def _table(methods: list[Method], level: float) -> Table:
    return Table(
        name="validations",
        title="Multiple validation",
        caption=f"Held-out accuracy by each method, with its {level:.0%} interval. What leans to one side is listed, "
        "but not held against the others.",
        columns={
            "method": [method.name for method in methods],
            "accuracy": [round(method.estimate.value, 4) for method in methods],
            "low": [round(method.estimate.low, 4) for method in methods],
            "high": [round(method.estimate.high, 4) for method in methods],
            "of": [f"{method.estimate.n} {method.counted}" for method in methods],
            "leans": [method.leans or "–" for method in methods],
        },
    )
