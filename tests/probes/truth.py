"""Whether what a finding says is what its estimates say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from probes.message import Message
from probes.result import Finding, Result
from probes.texts import texts

COUNTED: Mapping[str, frozenset[str]] = {
    "attribute_inference.leaks": frozenset({"without", "members", "others"}),
    "attribute_inference.quiet": frozenset({"without", "members", "others"}),
    "contamination.across-split": frozenset({"share"}),
    "drift.moved": frozenset({"p"}),
    "drift.benign": frozenset({"p"}),
    "drift.words-moved": frozenset({"p"}),
    "drift.words-benign": frozenset({"p"}),
    "drift.on-one-word": frozenset({"weight", "base"}),
    "drift.shortcut": frozenset({"rate", "low", "high", "control", "bound", "excess", "excess_low", "excess_high"}),
    "drift.suspected-shortcut": frozenset(
        {"rate", "low", "high", "control", "bound", "excess", "excess_low", "excess_high"}
    ),
    "drift.natural-evidence": frozenset(
        {"rate", "low", "high", "control", "bound", "excess", "excess_low", "excess_high"}
    ),
    # low and high: of the values of a column, where that is the candidate.
    "drift.no-shortcut": frozenset(
        {"control", "bound", "rarest", "excess", "excess_low", "excess_high", "low", "high"}
    ),
    "forgetting.better-interpolation": frozenset({"share"}),
    "forgetting.fragile": frozenset({"accuracy"}),
    "forgetting.robust": frozenset({"accuracy"}),
    "inheritance.backdoor": frozenset({"share", "deviations", "rate", "control"}),
    "inheritance.suspected-backdoor": frozenset({"share", "deviations", "rate", "control"}),
    "inheritance.no-trigger": frozenset({"share", "deviations", "rate", "control"}),
    "inheritance.worst-group": frozenset({"whole"}),
    "inheritance.no-worse-group": frozenset({"whole"}),
    "membership.exposed-samples": frozenset({"share", "count"}),
    "membership.forecast": frozenset({"held", "held_rate", "saturated"}),
    "membership.fidelity-blind": frozenset({"width"}),
    # The model's own value, which lies outside the interval that the estimate holds: that is the finding.
    "membership.infidelity": frozenset({"level", "value"}),
    "membership.leaks-few": frozenset({"fpr"}),
    "membership.uneven-exposure": frozenset({"mean", "rest"}),
    "membership.unresolved": frozenset({"fpr"}),
    "overfitting.capacity": frozenset({"majority"}),
    "overfitting.capacity-bounded": frozenset({"majority"}),
    "overfitting.epochs": frozenset({"lowest", "last"}),
    "overfitting.guessing": frozenset({"accuracy", "majority"}),
    "overfitting.uneven-class": frozenset({"whole", "gap"}),
    "overfitting.uneven-group": frozenset({"whole", "gap"}),
    "overfitting.tokens-unclear": frozenset({"tolerated", "tolerated_loss"}),
    "overfitting.unclear": frozenset({"tolerated"}),
    "overfitting.gap": frozenset({"tolerated"}),
    "overfitting.none": frozenset({"tolerated"}),
    "membership.false-dp-claim": frozenset({"level"}),
}
"""Values of findings that are counts, settings or parts of a figure, and not estimates with an interval."""

ABOVE: Mapping[str, str] = {
    "overfitting.gap": "gap",
    "overfitting.tokens-gap": "gap",
    "overfitting.token-loss-gap": "loss",
    "overfitting.limited-by-data": "gain",
    "overfitting.transfer-helps": "gain",
    "overfitting.beats-linear-probe": "gain",
    "drift.reasons": "gain",
    "drift.worse-than-source": "less",
    "drift.outlier": "beyond",
    "drift.words-outlier": "beyond",
    "drift.shortcut": "excess",
    "extraction.verbatim": "excess",
    "inheritance.backdoor": "excess",
    "membership.rarity-exposes": "value",
    "membership.falls-with-samples": "exponent",
    "membership.rises-with-samples": "exponent",
}
"""Findings that say "more" or "less" of a number, which is above zero with its whole interval."""
BELOW: Mapping[str, str] = {
    "overfitting.negative-transfer": "gain",
    "overfitting.worse-than-linear-probe": "gain",
    "forgetting.forgot": "change",
    "forgetting.fragile": "change",
    "drift.worse-explanations": "gain",
}


def untrue(result: Result) -> list[str]:
    """A line for each number of a finding that none of its estimates has, for each end of an interval on the wrong side
    of its value, and for each sign that contradicts the words."""
    return [f"{finding.code}: {what}" for finding in result.findings for what in _untrue(finding, result)]


def _untrue(finding: Finding, result: Result) -> Iterator[str]:
    rests = [one for one in result.estimates if one.name in finding.because]
    if len(rests) < len(finding.because):
        yield f"rests on {set(finding.because) - {one.name for one in rests}}, which there is not"
    known = {end for one in rests for number in (one.value, one.low, one.high) for end in (number, 0.0 - number)}
    for name, number in _numbers(finding.values):
        if number not in known and name not in COUNTED.get(finding.code, ()):
            yield f"{name} = {number} is in none of {sorted(known)}"
    values: Mapping[str, Any] = finding.values
    for low, value, high in (("low", name, "high") for name in ("value", "gap", "gain", "auc", "change", "index")):
        if {low, value, high} <= values.keys() and not values[low] <= values[value] <= values[high]:
            yield f"{value} = {values[value]} is outside {values[low]} to {values[high]}"
    for side, sign in ((ABOVE, 1), (BELOW, -1)):
        if (name := side.get(finding.code)) is not None and sign * values[name] <= 0:
            yield f"{name} = {values[name]} has another sign than the words"
    for lang in ("en", "zh"):
        if texts(lang).claim(finding) == finding.code:
            yield f"has no words in {lang}"


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Message):
                yield from ((name if inner == name else inner, number) for inner, number in _numbers(one.values))
            elif isinstance(one, float):
                yield name, one
