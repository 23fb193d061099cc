"""Every built-in threshold says why it is what it is, in both languages; what a profile requires is never left out."""

from __future__ import annotations

import datetime
import typing
from dataclasses import replace

import pytest

from audit.config.audit_config import Profile, parse
from audit.results.registration import reasons
from probes.message import Message
from probes.texts import said, texts
from reports.document.checks import checks
from reports.document.reasons import reasons as told
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.wording.catalogue import words
from tests.reports.sample import full

PROFILES = [name for name in typing.get_args(Profile) if name != "none"]
TODAY = datetime.date(2026, 1, 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_threshold_has_its_reason_in_both_languages(profile: str, lang: str) -> None:
    config = parse({"gate": {"profile": profile}}, "test")
    assert config.gate().thresholds
    for name, why in reasons(config).items():
        assert why in texts(lang).own("why"), name


def test_the_bar_of_aisvs_is_judged_by_upper_ends_and_names_its_source() -> None:
    config = parse({"gate": {"profile": "aisvs-l3"}}, "test")
    bounds = {f"{one.probe}.{one.estimate}": one for one in config.gate().thresholds}
    assert bounds["membership.checkpoint.auc"].bound == bounds["membership.recipe.auc"].bound == 0.55
    assert bounds["membership.checkpoint.auc"].direction == "max"
    assert "AISVS 1.0, item 11.2.5" in words("en")("why", bounds["membership.checkpoint.auc"].why)
    assert bounds["membership.blind.auc"].required


def test_what_a_profile_requires_and_no_probe_estimated_is_undecided() -> None:
    wanted = Threshold(probe="membership", estimate="blind.auc", direction="max", bound=0.55, optional=True)
    import dataclasses

    required = dataclasses.replace(wanted, required=True)
    assert not judge(full().results, Gate(thresholds=(wanted,)), today=TODAY).checks
    verdict = judge(full().results, Gate(thresholds=(required,)), today=TODAY)
    assert [check.status for check in verdict.checks] == ["undecided"]
    assert verdict.status == "undecided"
    assert "未查验" in words("zh").text(verdict.checks[0].because)


def test_a_reason_of_the_users_own_is_shown_as_it_is() -> None:
    import dataclasses

    content = {"thresholds": {"overfitting": {"recipe.accuracy_gap": {"max": 0.1, "why": "agreed with the board"}}}}
    report = full()
    report = dataclasses.replace(report, audit={**report.audit, "reasons": reasons(parse(content, "test"))})
    says = {one.title: one.says for one in told(report, words("en"))}
    assert says["Overfitting: train / held-out accuracy gap, this recipe"] == "agreed with the board"
    assert says["Leakage: AUC of the strongest attack, this recipe"].startswith("Above 0.60")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_threshold_without_an_estimate_is_shown_in_its_unit(profile: str) -> None:
    """At most 5 %, not at most 0.05."""
    gate = parse({"gate": {"profile": profile}}, "test").gate()
    assert all(one.unit for one in gate.thresholds)
    shown = checks(replace(full(), verdict=judge((), gate, today=TODAY, probes={})), words("en"))
    ends = {one.name: one.threshold for one in shown if one.value == "–"}
    assert len(ends) == len(gate.thresholds)
    for name, text in ends.items():
        assert text.endswith(" %") == (
            "share" in name or "tpr" in name or "ece" in name or "label_errors" in name or "pair_accuracy" in name
        )
        assert text.endswith(" pp") == ("gap" in name or "gain" in name or "excess" in name)


def test_what_did_not_run_is_listed_by_title_in_both_languages() -> None:
    for code in ("audit.not-run-without", "audit.looks-at-classes", "comparison.other-parameters"):
        message = Message(code, {"probes": ("drift", "contamination")})
        assert "Interpretability drift, Contamination" in said(message)
        assert "可解释性漂移、数据污染" in said(message, "zh")
