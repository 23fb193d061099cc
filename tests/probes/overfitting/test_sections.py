"""Each section of the probe against a slow, obvious reference or a planted answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from probes.answers import answers
from probes.measures.calibration import calibration_error
from probes.measures.confident_learning import out_of_fold
from probes.measures.memorisation import memorisation
from probes.overfitting import Overfitting
from probes.overfitting.bootstrap_632 import bootstrap, no_information, weighted_632
from probes.overfitting.challengers import challengers
from probes.overfitting.label_errors import label_errors
from probes.overfitting.learning_curve import learning_curve, measured
from probes.overfitting.majority_baseline import guessing
from probes.overfitting.negative_transfer import rivals
from probes.overfitting.subgroups import breakdown
from probes.overfitting.validation_agreement import Method, multiple_validation
from probes.plan import Plan, Rivals, Sizes, Splits
from probes.result import Chart, Table
from probes.statistics import proportion
from probes.texts import texts
from tests.probes.overfitting.trained import digits, evidence, make_pool, population_evidence


def linear(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(max_iter=300).fit(x, y)


def test_memorisation_a_sample_at_a_time() -> None:
    rng = np.random.default_rng(0)
    correct, keep = rng.random((2, 12, 30)) < 0.5
    keep[:, 0] = True
    found = memorisation(correct, keep)
    for sample in range(1, 30):
        mine = keep[:, sample]
        assert found[sample] == pytest.approx(correct[mine, sample].mean() - correct[~mine, sample].mean())
    assert np.isnan(found[0])


def test_calibration_error_is_unbiased_where_the_plain_one_is_not() -> None:
    """200 calibrated models: the squared error is 0 on average, though never without noise."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        confidence = rng.uniform(0.5, 1, 200)
        found.append(calibration_error("ece", confidence, rng.random(200) < confidence, 0.95))
    assert np.mean([one.value for one in found]) < 0.03
    assert np.mean([one.low == 0 for one in found]) > 0.9


def test_calibration_error_of_a_boaster() -> None:
    confidence = np.full(1000, 0.99)
    correct = np.arange(1000) % 10 < 7
    found = calibration_error("ece", confidence[::-1], np.random.default_rng(2).permutation(correct), 0.95)
    assert found.value == pytest.approx(0.29, abs=0.02)
    assert found.low > 0.25


@pytest.mark.parametrize(
    ("apparent", "outside", "chance", "expected"),
    [
        # No overfitting: .632 of both. Complete overfitting: the error outside alone (Efron & Tibshirani 1997, eq. 32).
        (0.2, 0.2, 0.5, 0.2),
        (0.0, 0.5, 0.5, 0.5),
        (0.0, 0.7, 0.5, 0.5),
        # R = 0.2 / 0.5, w = 0.632 / (1 − 0.368 · 0.4).
        (0.0, 0.2, 0.5, 0.632 / (1 - 0.368 * 0.4) * 0.2),
    ],
)
def test_632_plus(apparent: float, outside: float, chance: float, expected: float) -> None:
    assert weighted_632(apparent, outside, chance) == pytest.approx(expected)


def test_no_information_rate_is_the_error_over_all_pairs() -> None:
    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, 3, 40), rng.integers(0, 3, (2, 40))
    assert no_information(labels, predicted) == pytest.approx((labels[:, None, None] != predicted[None]).mean())


def test_632_plus_agrees_with_cross_validation() -> None:
    rng = np.random.default_rng(4)
    inputs, labels = digits(500, rng)
    probe = Overfitting(learning_curve=False, capacity=False, linear_probe=False, bootstrap=8, repeats=2)
    made = evidence(inputs, make_pool(labels, 400, 100, rng), linear, probe.needs)
    result = probe(made, rng)
    plus, outside = result["recipe.accuracy_632plus"], result["recipe.accuracy_outside_subsamples"]
    assert outside.value < result["recipe.held_out_accuracy"].value
    assert plus.low <= result["recipe.held_out_accuracy"].value <= plus.high
    assert plus.n == 8
    assert bootstrap(evidence(inputs, made.pool, linear), 1.0, 0.95) is None


def test_632_plus_comes_with_the_learning_curve_and_says_where_it_is_optimistic() -> None:
    """1-nearest-neighbour is right on all it trains on, and .632+ counts that: it is listed, and not held against the
    others."""
    rng = np.random.default_rng(14)
    inputs, labels = digits(500, rng)
    noisy = inputs + rng.normal(0, 0.4, inputs.shape)
    probe = Overfitting(capacity=False, linear_probe=False)
    nearest = lambda x, y: KNeighborsClassifier(1).fit(x, y)  # noqa: E731
    result = probe(evidence(noisy, make_pool(labels, 250, 250, rng), nearest, probe.needs), rng)
    plus = result["recipe.accuracy_632plus"]
    assert plus.n == 2
    assert plus.caveat is not None
    assert plus.value > result["recipe.held_out_accuracy"].value > result["recipe.accuracy_outside_subsamples"].value
    table = next(figure for figure in result.figures if figure.name == "validations")
    assert isinstance(table, Table)
    assert [str(one)[:4] for one in table.columns["leans"]] == ["–", "–", "low:", "high"]
    assert "overfitting.validations-agree" in {finding.code for finding in result.findings}


@pytest.mark.slow
def test_doubling_the_data_by_doubling_it() -> None:
    """What the curve foretells from 50, 100 and 200 samples is what 400 samples bring, for most of ten data sets."""
    inputs, labels = digits(1797, np.random.default_rng(5))
    real = []
    for repeat in range(12):
        twice, test = train_test_split(np.arange(1797), train_size=400, stratify=labels, random_state=repeat)
        once, _ = train_test_split(twice, train_size=200, stratify=labels[twice], random_state=repeat)
        scores = [linear(inputs[some], labels[some]).score(inputs[test], labels[test]) for some in (twice, once)]
        real.append(scores[0] - scores[1])
    plan = Plan.of(Splits(repeats=3, folds=2), Sizes(shares=(0.25, 0.5), repeats=4))
    inside = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        pool = make_pool(labels, 200, 200, rng)
        part = learning_curve(evidence(inputs, pool, linear, plan, seed=seed), rng, 0.95)
        inside.append(part.estimates[0].low <= np.mean(real) <= part.estimates[0].high)
    assert sum(inside) >= 8
    chart = part.figures[0]
    assert isinstance(chart, Chart)
    assert set(chart.columns["part"]) == {"measured", "extrapolated"}


def test_one_training_size_gives_no_curve() -> None:
    rng = np.random.default_rng(6)
    inputs, labels = digits(200, rng)
    made = evidence(inputs, make_pool(labels, 160, 40, rng), linear, Plan.of(Splits(repeats=1)))
    assert measured(made, np.zeros(made.population.answers.margin.shape)) is None


def test_rivals_are_paired_by_mask_and_a_better_recipe_is_reported() -> None:
    rng = np.random.default_rng(7)
    inputs, labels = digits(400, rng)
    plan = Plan.of(Splits(repeats=3), Rivals(kind="scratch"), Rivals(kind="linear-probe"))
    blind = lambda x, y: KNeighborsClassifier(150).fit(x, y)  # noqa: E731
    made = evidence(
        inputs, make_pool(labels, 320, 80, rng), linear, plan, rivals={"scratch": blind, "linear-probe": linear}
    )
    part = rivals(made, 0.95)
    over_scratch, over_probe = part.estimates
    assert over_scratch.n == 6
    assert over_scratch.low > 0
    assert over_probe.value == 0
    assert {finding.code for finding in part.findings} == {
        "overfitting.transfer-helps",
        "overfitting.no-better-than-linear-probe",
    }
    (table,) = challengers(made, 0.95).figures
    assert isinstance(table, Table)
    named, reached, gained = (list(table.columns[name]) for name in ("challenger", "accuracy", "gain over it"))
    assert named == ["largest class", "from scratch", "linear probe"]
    assert reached[1] < 0.6 < reached[2]
    assert gained[1:] == [round(over_scratch.value, 3), 0.0]


def test_a_challenger_that_was_not_run_is_reported() -> None:
    rng = np.random.default_rng(9)
    inputs, labels = digits(200, rng)
    made = evidence(inputs, make_pool(labels, 100, 100, rng), linear, Plan.of(Splits(repeats=1)))
    (table,) = challengers(made, 0.95).figures
    assert isinstance(table, Table)
    assert list(table.columns["judged by"])[1:] == ["not run", "not run"]
    assert table.columns["accuracy"][0] < 0.3


def test_a_group_that_is_failed_is_named() -> None:
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 600)
    groups = rng.integers(0, 3, 600)
    pool = make_pool(labels, 400, 200, rng, groups=groups)
    # Group 2 is right where it was trained on, and guesses elsewhere.
    right = pool.member | (groups != 2) | (rng.random(600) < 0.5)
    logits = np.where((right == (labels == 1))[:, None], [0.0, 2.0], [2.0, 0.0])[None]
    row = next(iter(Splits(repeats=1).rows(pool, rng)))
    base = population_evidence(pool, (row,), answers(logits, labels))
    made = type(base)(**{**base.__dict__, "group_names": ("north", "south", "west")})
    part = breakdown(made, 0.95)
    finding = next(one for one in part.findings if one.code == "overfitting.uneven-group")
    assert finding.values["worst"][0].values["name"] == "west"
    assert finding.values["count"] == 1
    assert {figure.name for figure in part.figures} == {"gap-by-class", "gap-by-group"}


def constant(x: np.ndarray, y: np.ndarray) -> DummyClassifier:
    return DummyClassifier().fit(x, y)


def test_only_a_model_that_learned_nothing_is_reported() -> None:
    rng = np.random.default_rng(10)
    inputs, labels = digits(600, rng)
    pool = make_pool(labels, 400, 200, rng)
    assert guessing(evidence(inputs, pool, linear), 0.95).findings == ()
    (found,) = guessing(evidence(inputs, pool, constant), 0.95).findings
    assert found.code == "overfitting.guessing"
    assert found.values["accuracy"] == found.values["majority"]
    # Two classes of very unequal size: nine of ten right is no more than their names say.
    rare = make_pool((labels == 3).astype(np.int64), 400, 200, rng)
    (found,) = guessing(evidence(rng.random(inputs.shape), rare, linear), 0.95).findings
    assert found.values["majority"] > 0.8


def test_confident_learning_finds_the_flipped_labels() -> None:
    rng = np.random.default_rng(9)
    inputs, labels = digits(600, rng)
    flipped = rng.permutation(600) < 20
    told = np.where(flipped, (labels + rng.integers(1, 10, 600)) % 10, labels)
    made = evidence(inputs, make_pool(told, 450, 150, rng), linear, Plan.of(Splits(repeats=3)))
    splits = made.population.design("splits")
    own, rival, _ = out_of_fold(made, splits)
    sample = 5
    outside = ~splits.keep[:, sample]
    assert own[sample] == pytest.approx(np.exp(splits.answers.log_prob[outside, sample]).mean(), rel=1e-5)
    suspects = np.array(label_errors(made, splits, 0.95, np.random.default_rng(0)).findings[0].samples)
    assert flipped[suspects].mean() > 0.5
    assert flipped[suspects[:12]].mean() > 0.9
    assert np.isin(np.flatnonzero(flipped), suspects).mean() > 0.6
    # What the models say instead is the true label.
    found = np.intersect1d(suspects, np.flatnonzero(flipped))
    assert (rival[found] == labels[found]).mean() > 0.8


def test_disagreeing_validations_are_reported_unless_sizes_differ() -> None:
    one = proportion("checkpoint.held_out_accuracy", 480, 500)
    other = proportion("recipe.held_out_accuracy", 400, 500)
    methods = [
        Method(name="its held-out split", estimate=one, counted="samples"),
        Method(name="this recipe", estimate=other, counted="folds"),
    ]
    findings = multiple_validation(methods, 0.95).findings
    assert [finding.code for finding in findings] == ["overfitting.validations-disagree"]
    assert texts("en").claim(findings[0]).endswith("or the recipe is not the one that made this checkpoint.")
    assert not multiple_validation(methods, 0.95, comparable=False).findings
    leaning = [methods[0], dataclasses.replace(methods[1], leans="low: half the size")]
    assert not multiple_validation(leaning, 0.95).findings
    near = dataclasses.replace(methods[1], estimate=proportion("recipe.held_out_accuracy", 470, 500))
    agreed = multiple_validation([methods[0], near], 0.95).findings
    assert [finding.code for finding in agreed] == ["overfitting.validations-agree"]
