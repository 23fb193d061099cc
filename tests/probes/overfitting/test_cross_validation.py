"""Fold scores against scikit-learn's `cross_validate` on the same folds and model; ranks; sizes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import cross_validate

from probes.answers import answers
from probes.measures.classification import balanced_accuracy, macro_f1
from probes.overfitting import Overfitting
from probes.overfitting.cross_validation import FoldScores, fold_scores, gap_rank
from probes.plan import Plan, Splits
from tests.probes.overfitting.trained import digits, evidence, make_pool

SCORERS = {
    "accuracy": "accuracy",
    "log_loss": "neg_log_loss",
    "balanced_accuracy": "balanced_accuracy",
    "macro_f1": "f1_macro",
}


def test_fold_scores_are_those_of_cross_validate() -> None:
    rng = np.random.default_rng(0)
    inputs, labels = digits(300, rng)
    pool = make_pool(labels, 240, 60, rng)
    model = LogisticRegression(C=0.1, max_iter=500)
    made = evidence(inputs, pool, lambda x, y: model.fit(x, y), Plan.of(Splits(repeats=2)))
    splits = made.population.design("splits")
    found = fold_scores(splits, pool)
    pooled = pool.indices
    folds = [(np.flatnonzero(keep[pooled]), np.flatnonzero(~keep[pooled])) for keep in splits.keep]
    expected = cross_validate(model, inputs[pooled], labels[pooled], cv=folds, scoring=SCORERS, return_train_score=True)
    for metric in SCORERS:
        sign = -1 if metric == "log_loss" else 1
        row = found.metrics.index(metric)
        # Answers are kept in float32.
        np.testing.assert_allclose(found.held_out[row], sign * expected[f"test_{metric}"], rtol=1e-5)
        np.testing.assert_allclose(found.train[row], sign * expected[f"train_{metric}"], rtol=1e-5)


def test_metrics_of_classes_that_are_absent_or_never_predicted_are_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    labels, predicted = np.arange(40) % 3, rng.integers(0, 3, 40)
    labels[labels == 2], predicted[predicted == 1] = 4, 6
    told = answers(np.eye(7)[predicted][None], labels)
    chosen = rng.random(40) < 0.7
    expected = recall_score(labels[chosen], predicted[chosen], average=None, labels=[0, 1, 4], zero_division=0.0).mean()
    assert balanced_accuracy(told, labels, chosen) == pytest.approx(expected)
    expected = f1_score(labels[chosen], predicted[chosen], average="macro", zero_division=0.0)
    assert macro_f1(told, labels, chosen) == pytest.approx(expected)


def test_rank_of_the_checkpoint_among_its_replicas() -> None:
    rng = np.random.default_rng(1)
    inputs, labels = digits(200, rng)
    pool = make_pool(labels, 160, 40, rng)
    made = evidence(inputs, pool, lambda x, y: LogisticRegression().fit(x, y), Plan.of(Splits(repeats=2)))
    scores = fold_scores(made.population, pool)
    assert gap_rank(1.0, scores, 0.95).value == 1.0
    assert gap_rank(-1.0, scores, 0.95).value == 0.0
    middle = gap_rank(float(np.median(scores.accuracy_gaps())), scores, 0.95)
    assert middle.low < 0.5 < middle.high
    assert middle.value == pytest.approx(0.5, abs=0.1)


def test_replicas_of_another_size_are_said_to_be() -> None:
    rng = np.random.default_rng(2)
    inputs, labels = digits(300, rng)
    probe = Overfitting(learning_curve=False, capacity=False, linear_probe=False)
    made = evidence(
        inputs,
        make_pool(labels, 240, 60, rng),
        lambda x, y: LogisticRegression().fit(x, y),
        Plan.of(Splits(repeats=1, folds=2)),
    )
    finding = next(one for one in probe(made, rng).findings if one.code == "overfitting.size-mismatch")
    assert finding.values == {"replicas": 150, "audited": 240}


def test_shares_stay_on_their_scale_however_wide_their_interval() -> None:
    held_out = np.array([[1.0, 0.8, 1.0, 0.9], [0.1, 0.9, 0.1, 0.5]])
    scores = FoldScores(
        metrics=("accuracy", "log_loss"),
        train=np.ones((2, 4)),
        held_out=held_out,
        repeat=np.array([0, 0, 1, 1]),
        fold=np.array([0, 1, 0, 1]),
        n_train=50.0,
        n_test=50.0,
    )
    found = scores.value("accuracy", 0.99)
    assert found.high == 1.0
    assert 0 < found.low < found.value
    assert scores.value("log_loss", 0.99).low < 0
