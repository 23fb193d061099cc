"""Wrong labels are distinguished from errors of models."""

from __future__ import annotations

import numpy as np
import pytest

from probes.measures.confident_learning import suspected, suspects_on_clean_labels

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
    expected = suspects_on_clean_labels(*given, np.random.default_rng(1))
    assert named > 50
    assert expected == pytest.approx(named, rel=0.35)


def test_wrong_labels_are_named_beyond_that() -> None:
    *given, wrong = told(0.2, 8.0)
    found = suspected(*given)
    assert wrong[found].mean() > 0.75
    assert found[wrong].mean() > 0.85
    assert suspects_on_clean_labels(*given, np.random.default_rng(1)) < 0.5 * found.sum()


def test_the_least_probable_labels_are_the_wrong_ones() -> None:
    """Sorted by the difference of both probabilities the first 50 hold more of the model's own errors."""
    labels, own, rival, rival_probability, wrong = told(0.05, 4.0)
    named = np.flatnonzero(suspected(labels, own, rival, rival_probability))
    by_own = named[np.argsort(own[named])][:50]
    by_difference = named[np.argsort(own[named] - rival_probability[named])][:50]
    assert wrong[by_own].mean() >= wrong[by_difference].mean()
    assert wrong[by_own].mean() > 0.8
