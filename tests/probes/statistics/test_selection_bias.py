"""What choosing adds to an accuracy: known answers, and coverage where models share what is hard."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from probes.errors import EvidenceError
from probes.statistics.selection_bias import selection_bias


def answers(rng: np.random.Generator, accuracy: np.ndarray, samples: int, shared: float = 0.7) -> np.ndarray:
    """Right or not; a `shared` part of what makes a sample hard is hard for all models."""
    hard = np.sqrt(shared) * rng.normal(size=samples) + np.sqrt(1 - shared) * rng.normal(size=(len(accuracy), samples))
    return np.asarray(hard < norm.ppf(accuracy)[:, None])


def test_the_best_of_many_guesses_is_a_guess() -> None:
    left = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        right = rng.random((200, 120)) < 0.5
        found = selection_bias(right, rng, reported=int(right.mean(axis=1).argmax()), draws=100)
        assert found.reported > 0.59
        left.append(found.corrected)
    assert np.mean(left) == pytest.approx(0.5, abs=0.03)


def test_where_one_model_is_better_than_all_others_choosing_added_nothing() -> None:
    rng = np.random.default_rng(1)
    right = answers(rng, np.array([0.95, *[0.7] * 30]), 200)
    found = selection_bias(right, rng)
    assert abs(found.bias) < 0.002


def test_the_correction_agrees_with_a_slow_loop() -> None:
    rng = np.random.default_rng(2)
    right = rng.random((5, 40)) < 0.6
    found = selection_bias(right, np.random.default_rng(3), draws=50)
    slow, again = [], np.random.default_rng(3)
    for _ in range(50):
        weight = again.multinomial(40, np.full(40, 1 / 40))
        best = max(range(5), key=lambda model: (sum(w for w, r in zip(weight, right[model], strict=True) if r), -model))
        outside = [right[best, i] for i in range(40) if weight[i] == 0]
        slow.append(np.mean(outside))
    assert found.corrected == pytest.approx(np.mean(slow), abs=1e-6)


def test_one_model_or_few_samples_are_refused() -> None:
    for shape in ((1, 50), (4, 9)):
        with pytest.raises(EvidenceError, match="Expected models="):
            selection_bias(np.ones(shape, dtype=bool), np.random.default_rng(0))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["equal", "one better", "spread"])
def test_intervals_cover_the_true_accuracy_of_the_chosen_model(kind: str) -> None:
    covered, error = [], []
    for seed in range(300):
        rng = np.random.default_rng([seed, 7])
        accuracy = np.full(40, 0.8)
        if kind == "one better":
            accuracy[5] = 0.9
        elif kind == "spread":
            accuracy = np.clip(accuracy + 0.03 * rng.normal(size=40), 0, 1)
        right = answers(rng, accuracy, 300)
        best = int(right.mean(axis=1).argmax())
        found = selection_bias(right, rng, reported=best, draws=200)
        covered.append(abs(found.corrected - accuracy[best]) <= found.half_width)
        error.append(found.corrected - accuracy[best])
    assert np.mean(covered) > 0.93
    assert abs(np.mean(error)) < 0.01
