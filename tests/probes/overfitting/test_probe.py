"""The whole probe on really trained models with planted answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from probes.evidence import Evidence, Trace
from probes.overfitting import Overfitting
from probes.plan import Plan
from probes.result import Result
from reports.legacy_attributes import of_estimate
from tests.probes.overfitting.trained import digits, evidence, make_pool
from tests.probes.truth import untrue


def sound(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    """Well regularised."""
    return LogisticRegression(C=0.05, max_iter=200).fit(x, y)


def rote(x: np.ndarray, y: np.ndarray) -> DecisionTreeClassifier:
    """Right on all it trained on, whatever the labels."""
    return DecisionTreeClassifier(random_state=0).fit(x, y)


def codes(result: Result) -> set[str]:
    return {finding.code for finding in result.findings}


@pytest.fixture(scope="module")
def noisy() -> tuple[Evidence, Result, np.ndarray]:
    """A model trained to 100 % on labels of which 20 % are flipped."""
    rng = np.random.default_rng(1)
    inputs, labels = digits(500, rng)
    pool = make_pool(labels, 400, 100, rng)
    flipped = np.zeros(500, dtype=bool)
    flipped[rng.choice(np.flatnonzero(pool.member), 80, replace=False)] = True
    wrong = np.where(flipped, (labels + rng.integers(1, 10, size=500)) % 10, labels)
    pool = type(pool)(labels=wrong, member=pool.member, held_out=pool.held_out, validation=pool.validation)
    made = evidence(inputs, pool, rote, Overfitting().needs, rivals={"linear-probe": sound})
    return made, Overfitting()(made, np.random.default_rng(0)), flipped


@pytest.fixture(scope="module")
def regular() -> tuple[Evidence, Result]:
    rng = np.random.default_rng(2)
    inputs, labels = digits(1400, rng)
    pool = make_pool(labels, 1000, 250, rng, validation=150)
    made = evidence(inputs, pool, sound, Overfitting().needs, rivals={"linear-probe": sound})
    return made, Overfitting()(made, np.random.default_rng(0))


def test_rote_learning_of_flipped_labels_fails(noisy: tuple[Evidence, Result, np.ndarray]) -> None:
    _, result, _ = noisy
    assert result["checkpoint.train_accuracy"].value == 1.0
    assert result["recipe.accuracy_gap"].low > 0.15
    assert result["checkpoint.accuracy_gap"].low > 0.15
    gap = next(finding for finding in result.findings if finding.code == "overfitting.gap")
    assert gap.severity == "high"
    assert untrue(result) == []


def test_flipped_labels_are_memorised_and_suspected(noisy: tuple[Evidence, Result, np.ndarray]) -> None:
    _, result, flipped = noisy
    by_code = {finding.code: finding for finding in result.findings}
    memorised = set(by_code["overfitting.memorised"].samples)
    assert result["recipe.memorised_share"].low > 0.15
    # All flipped samples are memorised; the tree also memorises some correct ones.
    column = result.per_sample["memorisation"]
    assert (column[flipped] >= 0.5).mean() > 0.9
    suspects = by_code["overfitting.label-errors"].samples
    assert np.mean(flipped[list(suspects)]) > 0.5
    assert memorised & set(suspects)


def test_capacity_of_a_tree_is_unbounded(noisy: tuple[Evidence, Result, np.ndarray]) -> None:
    _, result, _ = noisy
    assert result["recipe.shuffled_train_accuracy"].value == 1.0
    assert "overfitting.capacity" in codes(result)


def test_a_worse_recipe_than_a_linear_probe_is_found(noisy: tuple[Evidence, Result, np.ndarray]) -> None:
    _, result, _ = noisy
    assert result["recipe.gain_over_linear_probe"].high < 0
    assert "overfitting.worse-than-linear-probe" in codes(result)


def test_a_regularised_model_passes(regular: tuple[Evidence, Result]) -> None:
    _, result = regular
    assert result["recipe.accuracy_gap"].high < 0.05
    assert "overfitting.none" in codes(result)
    assert not codes(result) & {"overfitting.gap", "overfitting.capacity", "overfitting.validations-disagree"}
    assert result["recipe.memorised_share"].high < 0.05
    assert untrue(result) == []


def test_contract_of_names(regular: tuple[Evidence, Result]) -> None:
    _, result = regular
    names = {estimate.name for estimate in result.estimates}
    assert names >= {
        "checkpoint.accuracy_gap",
        "checkpoint.log_loss_gap",
        "checkpoint.held_out_accuracy",
        "checkpoint.train_accuracy",
        "checkpoint.ece",
        "checkpoint.ece_gap",
        "checkpoint.brier",
        "checkpoint.gap_rank",
        "recipe.accuracy_gap",
        "recipe.log_loss_gap",
        "recipe.balanced_accuracy_gap",
        "recipe.macro_f1_gap",
        "recipe.held_out_accuracy",
        "recipe.memorised_share",
        "recipe.gain_from_doubling_data",
        "recipe.shuffled_train_accuracy",
        "recipe.gain_over_linear_probe",
    }
    figures = {figure.name for figure in result.figures}
    assert figures >= {"folds", "learning-curve", "reliability", "memorisation", "validations", "gap-by-class"}


def test_same_evidence_and_seed_same_result(regular: tuple[Evidence, Result]) -> None:
    made, result = regular
    again = Overfitting()(made, np.random.default_rng(0))
    assert again.estimates == result.estimates
    assert again.findings == result.findings


def test_a_checkpoint_alone_is_enough() -> None:
    """No replicas, no validation, no trace: the checkpoint's own figures, and nothing of a recipe."""
    rng = np.random.default_rng(3)
    inputs, labels = digits(300, rng)
    result = Overfitting()(evidence(inputs, make_pool(labels, 200, 100, rng), rote), np.random.default_rng(0))
    assert result["checkpoint.accuracy_gap"].value > 0.1
    assert not any(estimate.name.startswith("recipe.") for estimate in result.estimates)
    assert "overfitting.gap" in codes(result)


def test_negative_transfer_is_found() -> None:
    """A start that ruins the recipe, here features scrambled by a wrong source, loses against from scratch."""
    rng = np.random.default_rng(4)
    inputs, labels = digits(600, rng)

    class Scrambled(LogisticRegression):
        def fit(self, x: np.ndarray, y: np.ndarray) -> Scrambled:
            return super().fit(x[:, ::5], y)

        def predict_proba(self, x: np.ndarray) -> np.ndarray:
            return super().predict_proba(x[:, ::5])

    probe = Overfitting(repeats=2, scratch=True, learning_curve=False, capacity=False, linear_probe=False)
    made = evidence(
        inputs,
        make_pool(labels, 480, 120, rng),
        lambda x, y: Scrambled(max_iter=200).fit(x, y),
        probe.needs,
        rivals={"scratch": sound},
    )
    result = probe(made, np.random.default_rng(0))
    assert result["recipe.gain_over_scratch"].high < 0
    finding = next(one for one in result.findings if one.code == "overfitting.negative-transfer")
    assert finding.severity == "high"


def test_validation_that_turned_names_the_epochs_too_many() -> None:
    rng = np.random.default_rng(5)
    inputs, labels = digits(300, rng)
    loss = np.array([1.0, 0.6, 0.5, 0.6, 0.7, 0.9])
    trace = Trace(train_loss=loss[::-1], train_accuracy=loss, validation_loss=loss, validation_accuracy=loss)
    made = evidence(inputs, make_pool(labels, 150, 100, rng, validation=50), sound, trace=trace)
    finding = next(one for one in Overfitting()(made, rng).findings if one.code == "overfitting.epochs")
    assert finding.values["count"] == 3
    # The weights of the best epoch were kept: they have not been trained too long.
    kept = dataclasses.replace(made, epoch=3)
    assert "overfitting.epochs" not in codes(Overfitting()(kept, rng))


@pytest.mark.parametrize("switched", [True, False])
def test_needs_only_what_is_switched_on(switched: bool) -> None:
    probe = Overfitting(
        learning_curve=switched, capacity=switched, linear_probe=switched, scratch=switched, bootstrap=3 * switched
    )
    names = {design.name for design in probe.needs.designs}
    everything = {"splits", "sizes", "subsamples", "shuffled", "linear-probe", "scratch"}
    assert names == (everything if switched else {"splits"})
    assert isinstance(probe.needs, Plan)


def test_the_defaults_of_older_files_match_these_estimates(regular: tuple[Evidence, Result]) -> None:
    """Files say of the built-in probes' estimates only what cannot be known by their names, and older ones nothing."""
    for one in regular[1].estimates:
        unsaid = of_estimate(regular[1].probe, one.name)
        assert {name: getattr(one, name) for name in unsaid} == unsaid, one.name
