"""Overfitting of language models: gaps in tokens and nats, what fine-tuning brought, prompts with several answers."""

from __future__ import annotations

import numpy as np
import pytest

from probes.overfitting import Overfitting
from probes.overfitting.sequences import same_prompts, token_accuracy, token_loss
from probes.result import Chart, Result
from probes.sequences import token_answers
from probes.texts import texts
from tests.probes.simulated_sequences import evidence
from tests.probes.truth import untrue


def run(**given: object) -> Result:
    return Overfitting()(evidence(**given), np.random.default_rng(0))  # type: ignore[arg-type]


def codes(result: Result) -> list[str]:
    return [finding.code for finding in result.findings]


def test_losses_and_right_tokens_are_means_over_an_answers_tokens() -> None:
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.2, 0.6]])
    told = token_answers(logits, np.array([1, 2, 2]), np.array([0, 2, 3]))
    assert token_accuracy(told).tolist() == [[0.5, 1.0]]
    assert token_loss(told)[0] == pytest.approx([-np.log([0.25, 0.8]).mean(), -np.log(0.6)])


def test_a_gap_is_found_and_measured_in_both_scopes() -> None:
    found = run(gap=1.0)
    assert codes(found) == ["overfitting.tokens-gap"]
    for scope in ("checkpoint", "recipe"):
        estimate = found[f"{scope}.token_loss_gap"]
        assert estimate.low < 1.0 < estimate.high
        assert estimate.unit == "nats per token"
        assert found[f"{scope}.token_accuracy_gap"].low > 0.05
    assert untrue(found) == []


def test_a_gap_in_loss_alone_is_found() -> None:
    """Tokens that are right with less confidence: the share of right ones shows nothing."""
    found = Overfitting(tolerated_gap=0.9)(evidence(gap=1.0), np.random.default_rng(0))
    assert codes(found) == ["overfitting.token-loss-gap"]
    assert found["recipe.token_loss_gap"].low > 0.1
    assert untrue(found) == []


def test_a_model_without_a_gap_has_none() -> None:
    found = run(gap=0.0, n=400, repeats=6)
    assert codes(found) == ["overfitting.tokens-none"]
    assert found["recipe.token_loss_gap"].low < 0 < found["recipe.token_loss_gap"].high
    assert untrue(found) == []


def test_what_fine_tuning_brought_is_measured_on_new_samples() -> None:
    assert run(gap=0.0, gain=0.5)["checkpoint.gain_over_base"].low > 0.3
    assert "overfitting.learnt-nothing" in codes(run(gap=0.0, gain=0.0))
    worse = run(gap=0.0, gain=-0.5)
    assert "overfitting.worse-than-base" in codes(worse)
    assert untrue(worse) == []


def test_what_twice_the_data_would_bring_is_extrapolated() -> None:
    found = run(gap=0.0, n=400, learns=0.5)
    assert "overfitting.tokens-limited-by-data" in codes(found)
    less = found["recipe.token_loss_less_from_doubling_data"]
    assert 0.05 < less.low < less.value < 0.7
    assert less.unit == "nats per token"
    charts = {figure.name: figure for figure in found.figures if isinstance(figure, Chart)}
    assert charts["loss-curve"].columns["samples"][:3] == [50, 125, 200]
    losses = list(charts["loss-curve"].columns["loss a token"])
    assert losses[:3] == sorted(losses[:3], reverse=True)
    assert untrue(found) == []


def test_a_loss_that_rose_after_its_lowest_epoch_is_found() -> None:
    found = run(gap=0.5, rises=0.2)
    finding = next(one for one in found.findings if one.code == "overfitting.token-epochs")
    assert (finding.values["best"], finding.values["epochs"]) == (2, 6)
    assert found["recipe.loss_rise_after_best_epoch"].low < 0.2 < found["recipe.loss_rise_after_best_epoch"].high
    tables = {figure.name: figure for figure in found.figures}
    assert tables["gap-by-epoch"].columns["gap, nats a token"] == pytest.approx([0.5] * 4, abs=0.3)  # type: ignore[union-attr]
    assert len(tables["gap-by-fold"].columns["replica"]) == 6  # type: ignore[union-attr]
    assert untrue(found) == []


def test_a_loss_that_did_not_rise_is_not() -> None:
    found = run(gap=0.5, rises=0.0)
    assert "overfitting.token-epochs" not in codes(found)
    assert "token-epochs" in {figure.name for figure in found.figures}
    assert "overfitting.token-epochs" not in codes(run(gap=0.5, rises=-0.1))


def test_without_other_sizes_there_is_no_curve() -> None:
    assert "recipe.token_gain_from_doubling_data" not in {one.name for one in run(gap=0.0).estimates}


def test_a_prompt_with_several_answers_is_named() -> None:
    prompts = tuple("What is it?" if i < 40 else f"prompt {i}" for i in range(80))
    found = run(gap=0.0, prompts=prompts)
    finding = next(one for one in found.findings if one.code == "overfitting.contradicted-answers")
    members = np.flatnonzero(evidence(0.0).pool.member)
    assert set(finding.samples) == set(members[members < 40].tolist())
    assert found["contradicted_answers"].counts == (len(finding.samples), 40)
    assert untrue(found) == []


def test_equal_answers_contradict_nothing() -> None:
    assert same_prompts(["Is it?", "is it"], ["Yes.", "yes"]) == []
    assert same_prompts(["", ""], ["a", "b"]) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_claim_is_said(language: str) -> None:
    for given in (
        {"gap": 1.0},
        {"gap": 0.12},
        {"gap": 0.0, "gain": 0.0},
        {"gap": 0.0, "learns": 0.5},
        {"gap": 0.5, "rises": 0.2},
    ):
        for finding in run(**given).findings:
            assert "{" not in texts(language).claim(finding)  # type: ignore[arg-type]
