"""Wrong labels are distinguished from errors of models."""

from __future__ import annotations

import numpy as np
import pytest

from probes.measures.confident_learning import suspected, suspects_on_clean_labels
from probes.overfitting.label_errors import surprising

CLASSES = 8


def told(noise: float, sharpness: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """(labels, probability of the label, most likely other class, its probability, which are wrong) of 4,000 samples
    and a calibrated model of the given confidence."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4000, CLASSES)) * sharpness
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    truth = (p.cumsum(axis=1) > rng.random(4000)[:, None]).argmax(axis=1)
    wrong = rng.random(4000) < noise
    labels = np.where(wrong, (truth + rng.integers(1, CLASSES, 4000)) % CLASSES, truth)
    rows = np.arange(4000)
    own = p[rows, labels]
    p[rows, labels] = -1.0
    return labels, own, p.argmax(axis=1), p.max(axis=1), wrong


@pytest.mark.parametrize("sharpness", [2.0, 4.0, 8.0])
def test_on_clean_labels_what_is_named_is_what_is_expected(sharpness: float) -> None:
    *given, _ = told(0.0, sharpness)
    named = int(suspected(*given).sum())
    about, most = suspects_on_clean_labels(*given, np.random.default_rng(1))
    assert named > 50
    assert about == pytest.approx(named, rel=0.35)
    assert not surprising(named, most)


def test_wrong_labels_are_named_beyond_that() -> None:
    *given, wrong = told(0.2, 8.0)
    found = suspected(*given)
    assert wrong[found].mean() > 0.75
    assert found[wrong].mean() > 0.85
    about, most = suspects_on_clean_labels(*given, np.random.default_rng(1))
    assert about <= most < 0.5 * found.sum()
    assert surprising(int(found.sum()), most)


@pytest.mark.parametrize("accuracy", [0.5, 0.6, 0.9])
def test_errors_that_do_not_depend_on_confidence_are_not_taken_for_wrong_labels(accuracy: float) -> None:
    """Models that are as often wrong where they are sure, on clean labels: a linear model of a task that is not."""
    rng = np.random.default_rng(2)
    top, classes = rng.uniform(0.3, 0.6, 2000), 4
    label = rng.integers(0, classes, 2000)
    right = rng.random(2000) < accuracy
    rest = np.minimum((1 - top) * rng.uniform(0.2, 0.8, 2000), top)
    other = (label + rng.integers(1, classes, 2000)) % classes
    given = label, np.where(right, top, rest), other, np.where(right, rest, top)
    _, most = suspects_on_clean_labels(*given, np.random.default_rng(1))
    assert not surprising(int(suspected(*given).sum()), most)


def test_the_least_probable_labels_are_the_wrong_ones() -> None:
    """Sorted by the difference of both probabilities the first 50 hold more of the model's own errors."""
    labels, own, rival, rival_probability, wrong = told(0.05, 4.0)
    named = np.flatnonzero(suspected(labels, own, rival, rival_probability))
    by_own = named[np.argsort(own[named])][:50]
    by_difference = named[np.argsort(own[named] - rival_probability[named])][:50]
    assert wrong[by_own].mean() >= wrong[by_difference].mean()
    assert wrong[by_own].mean() > 0.8
