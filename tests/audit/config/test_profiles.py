"""Every built-in threshold says why it is what it is, in both languages; what a profile requires is never left out."""

from __future__ import annotations

import datetime
import typing

import pytest

from audit.config.audit_config import Profile, parse
from audit.results.registration import reasons
from probes.texts import texts
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
