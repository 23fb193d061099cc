from __future__ import annotations

import inspect
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.answers import answers, log_softmax, logit_margin
from probes.errors import AuditError, EvidenceError, NonFiniteError


@given(st.lists(st.integers(-6, 6), min_size=2, max_size=5), st.data())
def test_margin_is_the_log_odds_of_the_label(logits: list[int], data: st.DataObject) -> None:
    label = data.draw(st.integers(0, len(logits) - 1))
    powers = [Fraction(math.e).limit_denominator(10**9) ** one for one in logits]
    odds = powers[label] / (sum(powers) - powers[label])
    margin = logit_margin(np.array([logits], dtype=np.float64), np.array([label]))[0]
    assert margin == pytest.approx(math.log(odds), abs=1e-7)


def test_margin_is_stable_where_the_probability_is_one() -> None:
    margin = logit_margin(np.array([[200.0, 0.0, -50.0]], dtype=np.float32), np.array([0]))
    assert margin[0] == pytest.approx(200.0)
    assert logit_margin(np.array([[-800.0, 0.0]]), np.array([0]))[0] == pytest.approx(-800.0)


def test_margin_of_certain_and_uncertain_samples_together() -> None:
    """Where the other classes' exponentials vanish beside the label's, and where they do not."""
    logits = np.array([[[0.0, -710.0, -712.0], [1e4, 0.0, 3.0], [-1e4, 5.0, 5.0], [2.0, 1.0, 0.0]]] * 2)
    found = logit_margin(logits, np.zeros(4, int))
    assert found[0] == pytest.approx(
        [
            710 - math.log1p(math.exp(-2)),
            9997 - math.log1p(math.exp(-3)),
            -10005 - math.log(2),
            2 - math.log(math.e + 1),
        ],
        rel=1e-14,
    )
    assert (found[0] == found[1]).all()
    assert (answers(logits, np.zeros(4, int)).margin == found.astype(np.float32)).all()


@pytest.mark.parametrize(
    ("logits", "labels", "error", "says"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), EvidenceError, "labels has 2 samples"),
        (np.zeros((2, 1)), np.zeros(2, int), EvidenceError, "2 classes"),
        (np.zeros((2, 3)), np.array([0, 3]), EvidenceError, "0..2"),
        (np.array([[0.0, np.nan]]), np.array([0]), NonFiniteError, "NaN"),
        (np.array([[0.0, np.inf]]), np.array([0]), NonFiniteError, "infinite"),
    ],
)
def test_unusable_logits_are_named(logits: np.ndarray, labels: np.ndarray, error: type[AuditError], says: str) -> None:
    with pytest.raises(error, match=says):
        # Without the tests' own shape checks: users have none.
        inspect.unwrap(logit_margin)(logits, labels)


def test_answers_against_slow_formulas() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(0, 3, (2, 7, 4)), rng.integers(0, 4, 7)
    found = answers(logits, labels)
    for model in range(2):
        for sample in range(7):
            p = np.exp(logits[model, sample]) / np.exp(logits[model, sample]).sum()
            own, y = p[labels[sample]], labels[sample]
            entropy = -sum(q * math.log(q) for q in p)
            modified = -(1 - own) * math.log(own) - sum(q * math.log(1 - q) for i, q in enumerate(p) if i != y)
            assert found.log_prob[model, sample] == pytest.approx(math.log(own), rel=1e-5)
            assert found.entropy[model, sample] == pytest.approx(entropy, rel=1e-5, abs=1e-6)
            assert found.modified_entropy[model, sample] == pytest.approx(modified, rel=1e-4, abs=1e-6)
            assert found.confidence[model, sample] == pytest.approx(p.max(), rel=1e-6)
            assert found.predicted[model, sample] == p.argmax()


def test_log_softmax_sums_to_one() -> None:
    logits = np.array([[1000.0, 1000.0], [-1e4, 0.0]])
    np.testing.assert_allclose(np.exp(log_softmax(logits)).sum(axis=1), 1.0)
