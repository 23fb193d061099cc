"""What stands at the head of a report follows from what the gate decided."""

from __future__ import annotations

import dataclasses

from probes.result import Finding, Result
from reports.document import outline
from reports.gate import judge
from reports.report import Report
from reports.thresholds import Gate, Threshold
from tests.reports.sample import TODAY, estimate


def report(*estimates: str, findings: tuple[Finding, ...] = (), value: float = 0.5) -> Report:
    """Every estimate beyond a bound of 0.1."""
    from tests.reports.sample import sample

    result = Result(
        probe="overfitting",
        params={},
        estimates=tuple(estimate(name, value, 0.01) for name in estimates),
        findings=findings,
    )
    bounds = tuple(Threshold(probe="overfitting", estimate=name, direction="max", bound=0.1) for name in estimates)
    return dataclasses.replace(
        sample(), results=(result,), verdict=judge([result], Gate(thresholds=bounds), today=TODAY)
    )


def finding(code: str, severity: str, *because: str) -> Finding:
    return Finding(code=code, severity=severity, claim=f"{code} says so.", because=because)  # type: ignore[arg-type]


def test_the_risks_line_says_why_its_check_fell() -> None:
    graver, about = finding("a.graver", "high", "other"), finding("b.about", "low", "recipe.accuracy_gap")
    fell = report("recipe.accuracy_gap", findings=(graver, about))
    assert outline(fell).risks[0].what == "b.about says so."
    passed = report("recipe.accuracy_gap", findings=(graver, about), value=0.01)
    assert outline(passed).risks[0].what == "a.graver says so."
    unexplained = report("recipe.accuracy_gap", findings=(graver,))
    assert outline(unexplained).risks[0].what == "a.graver says so."


def test_an_undecided_risk_says_what_decides_it() -> None:
    risk = outline(report("recipe.accuracy_gap", findings=(finding("a.b", "low"),), value=0.105)).risks[0]
    assert risk.status == "undecided"
    assert "would decide it" in risk.to_do
    assert risk.so_what.startswith("If it is so: ")


def test_the_sentence_names_few_checks_and_of_many_the_risks() -> None:
    few = outline(report("recipe.accuracy_gap", "checkpoint.accuracy_gap")).sentence
    assert few.endswith(
        "Overfitting: train / held-out accuracy gap, this recipe; train / held-out accuracy gap, this model."
    )
    many = outline(report("a", "b", "c", "d")).sentence
    assert many == "Not ready to ship: 4 of 4 checks lie beyond their thresholds, uncertainty included. Overfitting."
