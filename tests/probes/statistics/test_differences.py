"""Newcombe's intervals against the figures of the papers, the bootstrap and Nadeau–Bengio against slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from probes.errors import EvidenceError
from probes.statistics import bootstrap as bootstrap_module
from probes.statistics import (
    bootstrap_difference,
    bootstrap_mean,
    mcnemar,
    mover,
    nadeau_bengio,
    newcombe_difference,
    newcombe_paired,
)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10, examples (a)–(h).
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_as_published(one: tuple[int, int], other: tuple[int, int], low: float, high: float) -> None:
    found = newcombe_difference("gap", one, other)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_newcombe_paired_as_published() -> None:
    """Newcombe 1998, Statistics in Medicine 17:2635, method 10, both 36, one 12, other 2, neither 0: 0.0569, 0.3404."""
    found = newcombe_paired("gain", 36, 12, 2, 0)
    assert (found.low, found.high) == (pytest.approx(0.0569, abs=1e-4), pytest.approx(0.3404, abs=1e-4))


def test_newcombe_paired_gains_from_agreement() -> None:
    """The same shares: answers that go together leave a narrower interval than answers that do not."""
    together, apart = newcombe_paired("gain", 70, 10, 0, 20), newcombe_paired("gain", 56, 24, 14, 6)
    assert together.value == apart.value == pytest.approx(0.1)
    assert together.high - together.low < apart.high - apart.low
    unpaired = newcombe_difference("gain", (80, 100), (70, 100))
    assert apart.high - apart.low == pytest.approx(unpaired.high - unpaired.low, rel=0.02)


def test_impossible_counts_are_errors() -> None:
    with pytest.raises(EvidenceError):
        newcombe_difference("gap", (3, 2), (1, 2))
    with pytest.raises(EvidenceError):
        newcombe_paired("gap", 0, 0, 0, 0)


def test_mcnemar_is_the_binomial_test() -> None:
    assert mcnemar(2, 10) == pytest.approx(2 * stats.binom.cdf(2, 12, 0.5))
    assert mcnemar(0, 0) == 1.0


def test_mover_of_normals_is_their_difference() -> None:
    low, high = mover((1.0, 0.7, 1.3), (0.2, -0.2, 0.6))
    assert (low, high) == (pytest.approx(0.8 - 0.5), pytest.approx(0.8 + 0.5))


def test_nadeau_bengio_by_hand() -> None:
    folds = np.array([0.1, 0.3, 0.2, 0.4])
    found = nadeau_bengio("gap", folds, n_train=80.0, n_test=20.0)
    half = stats.t.ppf(0.975, 3) * math.sqrt(folds.var(ddof=1) * (1 / 4 + 20 / 80))
    assert found.value == pytest.approx(0.25)
    assert found.high - found.value == pytest.approx(half)
    assert found.dof == 3


def test_bootstrap_in_blocks_is_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_mean("mean", values, np.random.default_rng(1), unit="nats")
    monkeypatch.setattr(bootstrap_module, "BLOCK", 333)
    blocks = bootstrap_mean("mean", values, np.random.default_rng(1), unit="nats")
    assert (blocks.low, blocks.high) == pytest.approx((whole.low, whole.high))


def test_bootstrap_difference_of_normals_is_students() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.normal(1, 1, 400), rng.normal(0, 2, 300)
    found = bootstrap_difference("gap", one, other, rng, unit="nats")
    expected = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)


def test_bootstrap_difference_without_spread_is_a_point() -> None:
    found = bootstrap_difference("gap", np.ones(5), np.zeros(5), np.random.default_rng(0), unit="nats")
    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
    with pytest.raises(EvidenceError):
        bootstrap_difference("gap", np.ones(1), np.zeros(5), np.random.default_rng(0), unit="nats")
