"""The confusion matrix, precision and recall against scikit-learn's; the worst class covers the smallest truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from probes.answers import answers
from probes.evidence import Evidence
from probes.overfitting.per_class import confusion, confusion_table, lowest, per_class
from probes.plan import Pool
from probes.result import Table


def evidence(classes: int = 4, seed: int = 0, samples: int = 400) -> Evidence:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, samples)
    logits = rng.normal(size=(1, samples, classes))
    logits[0, np.arange(samples), labels] += 1.2
    part = np.arange(samples) % 2
    pool = Pool(labels=labels, member=part == 0, held_out=part == 1, validation=np.zeros(samples, dtype=bool))
    from probes.population import Population
    from tests.probes.membership.worlds import stack

    return Evidence(
        pool=pool,
        classes=tuple(f"class {number}" for number in range(classes)),
        audited=answers(logits, labels),
        population=Population(rows=(), answers=stack([], samples)),
        inputs=np.zeros((samples, 1), dtype=np.float32),
        modality="table",
    )


def test_matrix_precision_and_recall_are_scikit_learns() -> None:
    found = evidence()
    held_out = found.pool.held_out
    true, told = found.labels[held_out], found.audited.predicted[0][held_out]
    assert (confusion(found) == confusion_matrix(true, told)).all()
    part = per_class(found, 0.95)
    table = next(one for one in part.figures if isinstance(one, Table) and one.name == "per-class")
    assert table.columns["recall"] == pytest.approx(recall_score(true, told, average=None), abs=5e-4)
    assert table.columns["precision"] == pytest.approx(precision_score(true, told, average=None), abs=5e-4)
    worst = {one.name: one.value for one in part.estimates}
    assert worst["checkpoint.worst_class_recall"] == pytest.approx(min(recall_score(true, told, average=None)))


def test_the_worst_class_covers_the_smallest_truth() -> None:
    """300 draws of 5 classes, all right in 70 % of cases: the smallest observed is far below, its interval not."""
    rng = np.random.default_rng(1)
    truth = np.full(5, 0.7)
    covered = 0
    for _ in range(300):
        of = np.full(5, 30, dtype=np.int64)
        found = lowest("x", rng.binomial(of, truth).astype(np.int64), of, 0.95)
        assert found is not None
        covered += found.low <= truth.min() <= found.high
    assert covered >= 0.93 * 300


def test_many_classes_are_summarised_by_their_worst_confusions() -> None:
    matrix = np.zeros((30, 30), dtype=np.int64)
    np.fill_diagonal(matrix, 9)
    matrix[3, 7] = 5
    matrix[1, 2] = 2
    table = confusion_table(matrix, tuple(f"class {number}" for number in range(30)))
    assert table.columns == {"class": ["class 3", "class 1"], "models say": ["class 7", "class 2"], "count": [5, 2]}


def test_a_class_that_is_never_named_has_no_precision() -> None:
    found = evidence(classes=3)
    audited = dataclasses.replace(found.audited, predicted=np.minimum(found.audited.predicted, 1))
    part = per_class(dataclasses.replace(found, audited=audited), 0.95)
    table = next(one for one in part.figures if isinstance(one, Table) and one.name == "per-class")
    assert table.columns["precision"][2] is None
    assert table.columns["recall"][2] == 0
