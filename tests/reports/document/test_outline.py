"""The head of a report follows from the gate's decision."""

from __future__ import annotations

import dataclasses
import math

from probes.result import Chart, Estimate, Finding, Result, Table
from reports.comparison.compare import compare
from reports.document.outline import outline
from reports.document.sections import in_sight
from reports.formats import html, markdown
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Report
from reports.wording.catalogue import words
from reports.wording.estimates import in_line
from tests.reports.sample import TODAY, chart, estimate, full
from tests.reports.verdicts import absent, bounds


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


def test_a_risk_leads_with_what_the_gate_decided_at_its_level_and_says_it_once() -> None:
    graver, about = finding("a.graver", "high", "other"), finding("b.about", "low", "recipe.accuracy_gap")
    fell = outline(report("recipe.accuracy_gap", findings=(graver, about))).risks[0]
    assert fell.what == (
        "Fail: train / held-out accuracy gap, this recipe, 50.0 % (49.2 to 50.8 % at 90 %), allowed ≤ 10.0 %."
    )
    assert fell.also == "a.graver says so."
    passed = outline(report("recipe.accuracy_gap", findings=(graver, about), value=0.02)).risks[0]
    assert passed.what.startswith("Pass: train / held-out accuracy gap, this recipe, 2.0 % (1.2 to 2.8 % at 90 %)")
    assert passed.also == "a.graver says so."
    assert passed.so_what == "Nothing here blocks shipping."
    alone = outline(report("recipe.accuracy_gap", findings=(about,), value=0.01)).risks[0]
    assert alone.also == ""


def test_a_check_of_this_model_is_not_explained_by_a_finding_about_the_recipe() -> None:
    gap = finding("overfitting.gap", "high", "recipe.accuracy_gap")
    risk = outline(report("checkpoint.accuracy_gap", findings=(gap,))).risks[0]
    assert risk.what.startswith("Fail: train / held-out accuracy gap, this model, ")
    assert risk.also == "overfitting.gap says so."


def test_an_undecided_risk_says_what_decides_it() -> None:
    risk = outline(report("recipe.accuracy_gap", findings=(finding("a.b", "low"),), value=0.105)).risks[0]
    assert risk.status == "undecided"
    assert "would decide it" in risk.to_do
    assert risk.so_what.startswith("If it is so: ")
    two = outline(report("recipe.accuracy_gap", "checkpoint.accuracy_gap", value=0.105)).risks[0]
    assert two.to_do.count("would decide it") == 2


def test_an_undecided_risk_without_a_finding_says_what_is_undecided() -> None:
    unrelated = finding("a.b", "high", "other")
    risk = outline(report("recipe.accuracy_gap", findings=(unrelated,), value=0.105)).risks[0]
    assert risk.what == (
        "Undecided: train / held-out accuracy gap, this recipe, 10.5 % (9.7 to 11.3 % at 90 %), allowed ≤ 10.0 %."
    )


def test_the_sentence_names_few_checks_and_of_many_the_risks() -> None:
    few = outline(report("recipe.accuracy_gap", "checkpoint.accuracy_gap")).sentence
    assert few == (
        "Not ready to ship because of overfitting (train / held-out accuracy gap, this recipe; train / held-out "
        "accuracy gap, this model): 2 of 2 checks are beyond their thresholds, uncertainty included."
    )
    many = outline(report("a", "b", "c", "d")).sentence
    assert many == (
        "Not ready to ship because of overfitting: 4 of 4 checks are beyond their thresholds, uncertainty included."
    )


def with_statuses(*statuses: str) -> Report:
    """A report whose checks ended so."""
    given = report(*(f"check.{i}" for i, _ in enumerate(statuses)))
    checks = tuple(
        dataclasses.replace(check, status=status)
        for check, status in zip(given.verdict.checks, statuses, strict=True)  # type: ignore[arg-type]
    )
    status = next(one for one in ("fail", "undecided", "pass") if one in statuses or one == "pass")
    return dataclasses.replace(given, verdict=dataclasses.replace(given.verdict, checks=checks, status=status))


def test_the_sentence_hides_neither_what_is_undecided_nor_what_was_waived() -> None:
    fell = outline(with_statuses("fail", "undecided", "undecided", "waived", "pass")).sentence
    assert fell.endswith(
        "1 of 5 checks is beyond its threshold, uncertainty included. 2 more are undecided. 1 is waived."
    )
    waived = outline(with_statuses("pass", "waived", "pass")).sentence
    assert waived == (
        "Nothing blocks shipping except what was waived: 2 of 3 checks are within their thresholds, "
        "uncertainty included, and 1 is waived, overfitting (check.1)."
    )
    assert "waived" not in outline(with_statuses("pass", "pass")).sentence
    assert "已豁免" in outline(with_statuses("pass", "waived"), "zh").sentence


def lower_bound(value: float) -> Estimate:
    return Estimate(
        name="epsilon.lower_bound",
        value=value,
        low=value,
        high=math.inf,
        n=400,
        unit="ε",
        better="lower",
        bound="lower",
    )


def test_bounds_and_counts_are_not_shown_as_intervals() -> None:
    say = words("en")
    bound = lower_bound(1.66)
    assert in_line(bound, say) == "1.66 (lower bound at 95 %, n = 400 samples)"
    count = Estimate(name="copies", value=3.0, low=3.0, high=3.0, n=200, unit="x", counted="held-out samples")
    assert in_line(count, say) == "3 (exact, n = 200 held-out samples)"
    assert in_line(estimate("a", 0.5, 0.1, n=1234), say) == "50.0 % (40.0 to 60.0 % at 95 %, n = 1\u202f234 samples)"
    assert in_line(count, words("zh")) == "3（精确值，n = 200 个留出样本）"


def test_a_bound_is_checked_at_its_own_level() -> None:
    bound = Estimate(name="epsilon.lower_bound", value=1.66, low=1.66, high=1.66, n=400, unit="ε", level=0.975)
    result = Result(probe="membership", params={}, estimates=(bound,))
    ceiling = Threshold(probe="membership", estimate=bound.name, direction="max", bound=10.0)
    assert judge([result], Gate(thresholds=(ceiling,)), today=TODAY).checks[0].level == 0.975


def test_a_section_shows_a_few_charts_and_what_names_samples_and_folds_the_rest() -> None:
    drawn = [chart(f"c{i}") for i in range(6)]
    named = Table(name="exposed", title="", caption="", columns={"sample": [1]})
    plain = Table(name="rates", title="", caption="", columns={"rate": [0.1]})
    shown, folded = in_sight([plain, *drawn, named])
    assert [one.name for one in shown] == ["c0", "c1", "c2", "c3", "exposed"]
    assert [one.name for one in folded] == ["c4", "c5", "rates"]
    few, none = in_sight([plain, *drawn[:2], named])
    assert [one.name for one in few] == ["c0", "c1", "rates", "exposed"]
    assert not none


def test_collapsed_figures_are_in_both_formats() -> None:
    given = report("recipe.accuracy_gap")
    (result,) = given.results
    assert isinstance(result, Result)
    many = dataclasses.replace(result, figures=tuple(chart(f"c{i}", f"Title {i}") for i in range(6)))
    told = dataclasses.replace(given, results=(many,))
    page, (text, files) = html.render(told), markdown.render(told)
    for whole, fold in ((page, '<details class="further">'), (text, "<details><summary>Further")):
        seen, _, unfolded = whole.partition(fold)
        assert "Title 3" in seen
        assert "Title 4" not in seen
        assert "Title 4" in unfolded
    assert len(files) == 6


def test_the_head_states_what_a_probe_calls_quality_and_the_required_minimum() -> None:
    result = Result(
        probe="strangers",
        params={},
        estimates=(
            estimate("checkpoint.f1", 0.95, 0.02, quality=True, title="F1 score"),
            estimate("constant.f1", 0.4, 0.02, quality=True, aid=True),
        ),
    )
    least = Threshold(probe="strangers", estimate="checkpoint.f1", direction="min", bound=0.9)
    base = dataclasses.replace(report("recipe.accuracy_gap"), results=(result,))
    unasked = dict(outline(base).quality)
    assert unasked["F1 score"].startswith("95.0 %")
    assert unasked["Required minimum"] == "none (set a minimum on strangers checkpoint.f1)"
    asked = dataclasses.replace(base, verdict=judge([result], Gate(thresholds=(least,)), today=TODAY))
    assert dict(outline(asked).quality)["Required minimum"] == "≥ 90.0 %: pass"
    gain = estimate("checkpoint.gain", 0.55, 0.02, quality=True, unit="points", title="beyond guessing")
    both = dataclasses.replace(result, estimates=(*result.estimates, gain))
    beyond = Threshold(probe="strangers", estimate="checkpoint.gain", direction="min", bound=0.0)
    judged = dataclasses.replace(
        base, results=(both,), verdict=judge([both], Gate(thresholds=(beyond, least)), today=TODAY)
    )
    told = dict(outline(judged).quality)["Required minimum"]
    assert sorted(told.split("; ")) == ["beyond guessing ≥ 0.0 pp: pass", "≥ 90.0 %: pass"]


def test_an_undecided_verdict_says_why() -> None:
    near, apart = report("recipe.accuracy_gap", value=0.1), absent()
    assert "too close to its threshold" in outline(near).sentence
    assert "could not be decided" in outline(apart).sentence
    assert "the evidence fits both outcomes" in outline(near).decide
    assert "gives its reason" in outline(apart).decide
    assert outline(absent(thresholds=())).sentence.endswith("did not run.")
    assert "cannot rule one out" in outline(bounds()).sentence
    assert [one.status for one in outline(apart).risks if one.title == "Leakage"] == ["undecided"]


def test_a_probe_that_could_not_run_is_not_asked_for_again() -> None:
    report = absent()
    ran = {"overfitting": "on", "membership": "lacking"}
    (leakage,) = [
        one
        for one in outline(dataclasses.replace(report, audit={**report.audit, "probes": ran})).risks
        if one.title == "Leakage"
    ]
    assert leakage.status == "undecided"
    assert "could not run: it needs samples or a model" in leakage.what
    assert leakage.to_do.startswith("Give what it needs")


def test_a_figure_without_a_row_is_left_out() -> None:
    """A chart of nothing would be drawn with an infinite size."""
    report = full()
    emptied = [
        dataclasses.replace(
            result,
            figures=tuple(
                dataclasses.replace(one, columns={name: [] for name in one.columns})
                if isinstance(one, Chart | Table)
                else dataclasses.replace(one, rows=())
                for one in result.figures
            ),
        )
        for result in report.results
        if isinstance(result, Result)
    ]
    for section in outline(dataclasses.replace(report, results=tuple(emptied))).sections:
        assert (section.figures, section.further) == ((), ())


def test_the_head_lists_what_blocks_it_with_what_to_do_next() -> None:
    document = outline(
        report("recipe.accuracy_gap", findings=(finding("overfitting.gap", "high", "recipe.accuracy_gap"),))
    )
    (blocking,) = document.blocking
    assert blocking.to_do.startswith("Fewer epochs")
    page = html.render(report("recipe.accuracy_gap"))
    assert "What blocks shipping, and what to do next" in page
    assert not outline(report()).blocking


def test_the_head_says_what_changed_since_the_last_release() -> None:
    old, new = report("recipe.accuracy_gap", value=0.05), report("recipe.accuracy_gap", value=0.5)
    old = dataclasses.replace(old, cost={"finished": "2026-01-02T03:04:05+00:00"})
    document = outline(dataclasses.replace(new, comparison=compare(old, new)))
    assert document.since.startswith("Since three, pass, 2026-01-02: 1 of 1")
    assert document.since in markdown.summary(dataclasses.replace(new, comparison=compare(old, new)))
