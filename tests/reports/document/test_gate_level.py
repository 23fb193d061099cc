"""One estimate has one interval in a report, and the gate's answer is shown where a finding is inconclusive."""

from __future__ import annotations

import dataclasses

import pytest

from probes.message import Message, Value
from probes.result import Estimate, Finding, Result
from reports.document.outline import Document, outline
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from tests.reports.sample import TODAY, estimate, sample

GAP = "recipe.accuracy_gap"


def told(code: str, value: float, bound: float) -> Document:
    """A report of one finding on the gap, [value − 0.02, value + 0.02] at 95 %, and one threshold on it."""
    gap = estimate(GAP, value, 0.02, dof=15.0, unit="points")
    values: dict[str, Value] = {"gap": gap.value, "low": gap.low, "high": gap.high, "tolerated": 0.05}
    values["who"] = Message("overfitting.this-recipe")
    finding = Finding(code=code, severity="medium", because=(GAP,), values=values)
    result = Result(probe="overfitting", params={}, estimates=(gap,), findings=(finding,))
    gate = Gate(thresholds=(Threshold(probe="overfitting", estimate=GAP, direction="max", bound=bound),))
    verdict = judge([result], gate, today=TODAY)
    return outline(dataclasses.replace(sample(), results=(result,), verdict=verdict, comparison=None))


def test_claims_estimates_and_checks_quote_one_interval() -> None:
    document = told("overfitting.gap", 0.07, 0.1)
    (check,), (section,) = document.checks, document.sections
    assert (check.status, check.level) == ("pass", "90 %")
    assert check.interval == section.estimates[0].interval == "5.4 to 8.6 pp"
    assert section.estimates[0].level == "90 %"
    assert section.findings[0].claim.endswith("by 7.0 percentage points (5.4 to 8.6).")


@pytest.mark.parametrize(("bound", "status"), [(0.1, "Pass"), (0.04, "Fail")])
def test_the_gate_answers_what_a_finding_leaves_open(bound: float, status: str) -> None:
    document = told("overfitting.unclear", 0.07, bound)
    (finding,), (risk,) = document.sections[0].findings, document.risks
    assert finding.claim.startswith(f"{status}: train / held-out accuracy gap, this recipe, 7.0 pp (")
    assert finding.severity == "info"
    assert risk.also == ""


def test_where_the_gate_cannot_tell_either_the_finding_says_so() -> None:
    document = told("overfitting.unclear", 0.07, 0.07)
    assert "too few folds or samples to tell" in document.sections[0].findings[0].claim


def test_what_was_not_measured_has_no_number() -> None:
    unknown = Estimate(name=GAP, value=0.0, low=-1.0, high=1.0, n=0, unit="points", caveat="no samples were there")
    result = Result(probe="overfitting", params={}, estimates=(unknown,))
    gate = Gate(thresholds=(Threshold(probe="overfitting", estimate=GAP, direction="max", bound=0.1),))
    verdict = judge([result], gate, today=TODAY)
    document = outline(dataclasses.replace(sample(), results=(result,), verdict=verdict, comparison=None))
    (check,) = document.checks
    assert (check.status, check.value, check.interval) == ("undecided", "–", "–")
    assert check.because == "It was not measured: no samples were there"
    assert document.sections[0].estimates[0].interval == "not measured"
    assert "was not measured; allowed ≤ 10.0 pp." in document.risks[0].what


def test_a_card_on_which_nothing_was_measured_gives_the_probes_own_reason() -> None:
    silent = Result(
        probe="drift", params={}, estimates=(), notes=("Only the owner knows.", "No prompts of three words.")
    )
    report = dataclasses.replace(sample(), results=(silent,), audit={"limits": ["Only the owner knows."]})
    document = outline(report)
    (section,), (risk,) = (
        [one for one in part if one.anchor == "drift"] for part in (document.sections, document.risks)
    )
    assert section.notes == ("No prompts of three words.",)
    assert risk.what == "Nothing could be measured. No prompts of three words."
