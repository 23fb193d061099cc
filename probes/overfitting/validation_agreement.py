"""Multiple validation: each method's estimate of held-out accuracy, and whether they agree."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.confidence_level import at_level

DISAGREE_AT = 0.01


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to estimate held-out accuracy. If it `leans` to one side for a known reason, it is listed but not
    compared with the others."""

    name: str
    estimate: Estimate
    counted: str
    leans: str = ""


def multiple_validation(methods: list[Method], level: float, *, comparable: bool = True) -> Part:
    """The table, and whether two methods' intervals contradict each other. Models of other training sizes are not
    `comparable`, because they are expected to differ."""
    fair = [method for method in methods if not method.leans] if comparable else []
    pairs = list(itertools.combinations(fair, 2))
    clashes = []
    for one, other in pairs:
        # Two-sided, and each pair is corrected for the number of pairs.
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
    or_else = None if of_one_model else Message("overfitting.or-else")
    return Finding(
        code="overfitting.validations-disagree",
        severity="medium",
        because=(a.name, b.name),
        values={
            "one": Message("overfitting.says", {"who": one.name, "value": a.value, "low": a.low, "high": a.high}),
            "other": Message("overfitting.says", {"who": other.name, "value": b.value, "low": b.low, "high": b.high}),
            "or_else": or_else,
        },
    )


def _agree(methods: list[Method]) -> Finding:
    values = [method.estimate.value for method in methods]
    return Finding(
        code="overfitting.validations-agree",
        severity="info",
        because=tuple(method.estimate.name for method in methods),
        values={"count": len(methods), "low": min(values), "high": max(values)},
    )


def _table(methods: list[Method], level: float) -> Table:
    return Table(
        name="validations",
        title=Message("overfitting.validations.title"),
        caption=Message("overfitting.validations.caption", {"level": level}),
        columns={
            "method": [method.name for method in methods],
            "accuracy": [round(method.estimate.value, 4) for method in methods],
            "low": [round(method.estimate.low, 4) for method in methods],
            "high": [round(method.estimate.high, 4) for method in methods],
            "of": [
                Message("overfitting.counted", {"n": method.estimate.n, "what": method.counted}) for method in methods
            ],
            "leans": [method.leans or "–" for method in methods],
        },
    )
