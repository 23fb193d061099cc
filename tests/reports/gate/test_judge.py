from __future__ import annotations

import datetime
from dataclasses import replace

import numpy as np
import pytest

from probes.errors import ConfigError
from probes.result import Estimate, Failure, Finding, Result
from probes.texts import said
from reports import archive
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold, Waiver
from reports.report import Comparison
from tests.reports.sample import TODAY, estimate, sample


def result(*estimates: Estimate, probe: str = "p", findings: tuple[Finding, ...] = ()) -> Result:
    return Result(probe=probe, params={}, estimates=estimates, findings=findings)


def gate(*bounds: tuple[str, float], **fields: object) -> Gate:
    thresholds = tuple(Threshold(probe="p", estimate=name, direction="max", bound=bound) for name, bound in bounds)
    return Gate(thresholds=thresholds, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "status", "code"), [(0.1, "pass", 0), (0.9, "fail", 1), (0.49, "undecided", 3), (0.51, "undecided", 3)]
)
def test_intervals_decide(value: float, status: str, code: int) -> None:
    verdict = judge([result(estimate("a", value, 0.05))], gate(("a", 0.5)), today=TODAY)
    assert (verdict.status, verdict.exit_code) == (status, code)


def test_direction_min_is_the_mirror() -> None:
    one = Gate(thresholds=(Threshold(probe="p", estimate="a", direction="min", bound=0.5),))
    statuses = [judge([result(estimate("a", v, 0.05))], one, today=TODAY).status for v in (0.1, 0.49, 0.9)]
    assert statuses == ["fail", "undecided", "pass"]


@pytest.mark.parametrize(("choice", "code"), [("stop", 3), ("warn", 0), ("fail", 1)])
def test_on_undecided(choice: str, code: int) -> None:
    verdict = judge([result(estimate("a", 0.5, 0.1))], gate(("a", 0.5), on_undecided=choice), today=TODAY)
    assert (verdict.status, verdict.exit_code) == ("undecided", code)


def test_a_failed_probe_never_passes() -> None:
    failures = [Failure(probe="q", error="E", message="m"), result(estimate("a", 0.1, 0.01))]
    assert judge(failures, gate(("a", 0.5)), today=TODAY).exit_code == 4
    assert (
        judge([Failure(probe="p", error="E", message="m")], gate(("a", 0.5)), today=TODAY).checks[0].status == "error"
    )


def test_an_audit_without_checks_does_not_pass() -> None:
    assert judge([result(estimate("a", 0.1, 0.01))], Gate(thresholds=()), today=TODAY).status == "undecided"


@pytest.mark.parametrize("against", ["threshold", "baseline"])
def test_what_a_probe_could_not_measure_is_undecided_and_says_why(against: str) -> None:
    """A failing check beside it stays a failure."""
    shared, own = "Only the owner knows the split.", "General text was not tested."
    silent = Result(probe="forgetting", params={}, estimates=(), notes=(own, shared))
    beside = replace(result(estimate("a", 0.9, 0.05)), notes=(shared,))
    limits = (
        Threshold(probe="forgetting", estimate="general.loss_change", direction="max", bound=0.1, against=against),  # type: ignore[arg-type]
        Threshold(probe="p", estimate="a", direction="max", bound=0.5),
    )
    verdict = judge(
        [silent, beside], Gate(thresholds=limits), today=TODAY, comparison=Comparison(baseline={}, differences=())
    )
    assert verdict.exit_code == 1
    (unmeasured,) = (check for check in verdict.checks if check.probe == "forgetting")
    assert unmeasured.status == "undecided"
    assert said(unmeasured.because) == f"Forgetting ran, but this audit did not measure it. {own}"


def test_a_threshold_on_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'abc'"):
        judge([result(estimate("abc", 0.1, 0.01))], gate(("abd", 0.5)), today=TODAY)
    absent = Threshold(probe="q", estimate="a", direction="max", bound=1.0)
    with pytest.raises(ConfigError, match="did not run"):
        judge([result(estimate("a", 0.1, 0.01))], Gate(thresholds=(absent,)), today=TODAY)


def test_too_few_replicas_to_tell_are_not_called_replicas_that_behave_otherwise() -> None:
    one = estimate("recipe.a", 0.1, 0.01)
    for severity, says in (("info", "too few replicas to tell"), ("medium", "does not reproduce this checkpoint")):
        doubt = Finding(code="membership.fidelity-blind", severity=severity, claim="c", doubts="recipe")
        (check,) = judge([result(one, findings=(doubt,))], gate(("recipe.a", 0.5)), today=TODAY).checks
        assert check.status == "undecided"
        assert says in said(check.because)


def test_what_was_not_judged_shows_its_threshold_in_its_unit() -> None:
    built_in = Threshold(probe="q", estimate="a", direction="max", bound=0.05, optional=True, unit="fraction")
    failed = judge([Failure(probe="q", error="ValueError", message="m")], Gate(thresholds=(built_in,)), today=TODAY)
    absent = judge([result(estimate("a", 0.1, 0.01))], Gate(thresholds=(built_in,)), today=TODAY, probes={})
    for verdict in (failed, absent):
        assert [(check.value, check.unit) for check in verdict.checks] == [(None, "fraction")]


def test_caveats_and_infidelity_are_undecided() -> None:
    caveat = estimate("a", 0.1, 0.01, caveat="not resolvable")
    assert judge([result(caveat)], gate(("a", 0.5)), today=TODAY).status == "undecided"
    unfaithful = Finding(code="membership.infidelity", severity="medium", claim="c", doubts="recipe")
    one = result(estimate("recipe.a", 0.1, 0.01), estimate("checkpoint.a", 0.1, 0.01), findings=(unfaithful,))
    checks = judge([one], gate(("recipe.a", 0.5), ("checkpoint.a", 0.5)), today=TODAY).checks
    assert [check.status for check in checks] == ["undecided", "pass"]


def test_an_estimate_says_what_it_is_about_whatever_its_name() -> None:
    doubt = Finding(code="p.unfaithful", severity="medium", claim="c", doubts="recipe")
    told = replace(estimate("leak", 0.1, 0.01), scope="recipe")
    one = result(told, estimate("recipe-like", 0.1, 0.01), findings=(doubt,))
    checks = judge([one], gate(("leak", 0.5), ("recipe-like", 0.5)), today=TODAY).checks
    assert [check.status for check in checks] == ["undecided", "pass"]
    (again,) = archive.load(archive.dump(replace(sample(), results=(one,)))).results
    assert isinstance(again, Result)
    assert again.estimates == one.estimates


def test_waivers_expire() -> None:
    def waived(day: int) -> str:
        waiver = Waiver(probe="p", estimate="a", reason="known", expires=datetime.date(2026, 1, day))
        one = gate(("a", 0.5), ("b", 0.5), waivers=(waiver,))
        results = [result(estimate("a", 0.9, 0.01), estimate("b", 0.1, 0.01))]
        return judge(results, one, today=datetime.date(2026, 1, 15)).status

    assert (waived(20), waived(15), waived(10)) == ("pass", "pass", "fail")


def test_a_waiver_of_what_nothing_checks_is_an_error() -> None:
    waiver = Waiver(probe="p", estimate="recipe.acu", reason="known", expires=datetime.date(2027, 1, 1))
    one = gate(("recipe.auc", 0.5), waivers=(waiver,))
    with pytest.raises(ConfigError, match=r"there is no threshold on p recipe\.acu\. Did you mean 'p recipe\.auc'\?"):
        judge([result(estimate("recipe.auc", 0.9, 0.01))], one, today=TODAY)


def test_what_would_decide_is_said() -> None:
    check = judge([result(estimate("a", 0.45, 0.1))], gate(("a", 0.5)), today=TODAY).checks[0]
    assert "About 644 samples instead of 100 would decide it" in said(check.because)


def test_a_sound_model_fails_with_at_most_five_percent() -> None:
    """Ten true values on their thresholds, the worst case of 'sound'."""
    rng = np.random.default_rng(0)
    names = [f"e{i}" for i in range(10)]
    bounds = gate(*((name, 0.0) for name in names))
    failed = 0
    for _ in range(300):
        values = rng.standard_normal(10)
        estimates = [estimate(n, float(v), 1.959964, unit="x") for n, v in zip(names, values, strict=True)]
        failed += judge([result(*estimates)], bounds, today=TODAY).status == "fail"
    # 300 draws at 5 %: more than 24 have a probability below 1 %.
    assert failed <= 24


def test_an_unsound_model_passes_with_at_most_five_percent() -> None:
    """One true value just beyond its threshold, the others far within."""
    rng = np.random.default_rng(1)
    bounds = gate(("a", 0.0), ("b", 9.0))
    passed = 0
    for _ in range(1000):
        estimates = [estimate("a", float(rng.standard_normal()), 1.959964), estimate("b", -9.0, 1.959964)]
        passed += judge([result(*estimates)], bounds, today=TODAY).status == "pass"
    assert passed / 1000 < 0.068


def test_an_estimate_without_replicas_does_not_pass() -> None:
    built_in = Threshold(probe="p", estimate="recipe.auc", direction="max", bound=0.6, optional=True)
    other = Threshold(probe="p", estimate="checkpoint.auc", direction="max", bound=0.6, optional=True)
    alone = result(estimate("checkpoint.auc", 0.5, 0.01))
    verdict = judge([alone], Gate(thresholds=(built_in, other)), today=TODAY)
    assert [check.status for check in verdict.checks] == ["pass", "undecided"]
    assert verdict.exit_code == 3
    with_replicas = result(estimate("checkpoint.auc", 0.5, 0.01), estimate("recipe.tpr", 0.1, 0.01))
    assert judge([with_replicas], Gate(thresholds=(built_in, other)), today=TODAY).status == "pass"


@pytest.mark.parametrize(
    ("there", "checks"), [("checkpoint.tokens", []), ("checkpoint.classes", ["undecided"]), ("other", ["undecided"])]
)
def test_what_other_kinds_of_model_have_is_not_asked_of_this_one(there: str, checks: list[str]) -> None:
    built_in = Threshold(
        probe="p", estimate="recipe.classes", direction="max", bound=0.6, optional=True, unless="checkpoint.tokens"
    )
    verdict = judge([result(estimate(there, 0.5, 0.01))], Gate(thresholds=(built_in,)), today=TODAY)
    assert [check.status for check in verdict.checks] == checks


def test_an_estimate_with_a_caveat_keeps_its_own_interval() -> None:
    """Of one degree of freedom, another level would reach far beyond what an AUC can be."""
    unknown = Estimate(name="a", value=0.6, low=0.0, high=1.0, n=4, unit="AUC", dof=1.0, caveat="two repeats")
    check = judge([result(unknown)], gate(("a", 0.7)), today=TODAY).checks[0]
    assert (check.status, check.low, check.high, check.level) == ("undecided", 0.0, 1.0, 0.95)
