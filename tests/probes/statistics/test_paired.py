"""Paired differences against slow references, and by simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probes.errors import EvidenceError
from probes.result import Estimate
from probes.statistics import auc, independent_difference, paired_auc, paired_gap, paired_mean


def test_paired_mean_is_scipys_paired_t() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=40), rng.normal(0.3, 1, 40)
    found = paired_mean("d", one - other, unit="x")
    reference = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))


def test_paired_gap_is_welchs_interval() -> None:
    rng = np.random.default_rng(1)
    plus, minus = rng.normal(size=15), rng.normal(0.5, 4, 60)
    found = paired_gap("d", plus, minus, unit="x")
    reference = stats.ttest_ind(plus, minus, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))


def slow_delong(one: np.ndarray, other: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """Difference of AUCs and its variance by every pair of samples."""
    kernels = []
    for score in (one, other):
        inside, outside = score[member][:, None], score[~member][None, :]
        kernels.append((inside > outside) + 0.5 * (inside == outside))
    change = kernels[0] - kernels[1]
    m, n = change.shape
    return float(change.mean()), float(change.mean(1).var(ddof=1) / m + change.mean(0).var(ddof=1) / n)


def test_paired_auc_is_delong_by_all_pairs() -> None:
    rng = np.random.default_rng(2)
    member = np.arange(70) < 30
    shared = rng.normal(size=70)
    one, other = np.round(shared + member, 1), np.round(shared + rng.normal(size=70), 1)
    found = paired_auc("a", one, other, member)
    value, variance = slow_delong(one, other, member)
    assert found.value == pytest.approx(value)
    assert found.value == pytest.approx(auc(one, member).value - auc(other, member).value)
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-5)
    assert paired_auc("a", one, one, member).high == 0.0


def estimate(value: float, half: float, **fields: object) -> Estimate:
    given = {"n": 10, "unit": "x"} | fields
    return Estimate(name="e", value=value, low=value - half, high=value + half, **given)  # type: ignore[arg-type]


def test_independent_difference_of_means_is_welchs() -> None:
    rng = np.random.default_rng(3)
    samples = rng.normal(size=8), rng.normal(1, 3, 20)
    one, other = (paired_mean("m", sample, unit="x") for sample in samples)
    found = independent_difference("d", one, other)
    reference = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    normal = independent_difference("d", estimate(1.0, 3.0), estimate(0.0, 4.0))
    assert (normal.low, normal.high, normal.dof) == (pytest.approx(-4.0), pytest.approx(6.0), None)


def test_levels_of_the_two_may_differ() -> None:
    wide, narrow = estimate(0.0, 2.575829, level=0.99), estimate(0.0, 1.959964, level=0.95)
    for one in (wide, narrow):
        assert independent_difference("d", one, narrow).high == pytest.approx(1.959964 * np.sqrt(2), rel=1e-5)


def test_pairing_covers_and_is_narrower() -> None:
    """Two models whose scores share the samples' difficulty: 95 % covers, in fewer nats than unpaired intervals."""
    rng = np.random.default_rng(4)
    member = np.arange(160) < 80
    covered, paired_width, unpaired_width = 0, 0.0, 0.0
    for _ in range(400):
        hard = rng.normal(size=160)
        one, other = (hard + 0.4 * rng.normal(size=160) + 0.8 * member for _ in range(2))
        found = paired_auc("a", one, other, member)
        covered += found.low <= 0 <= found.high
        paired_width += found.high - found.low
        unpaired = independent_difference("a", auc(one, member), auc(other, member))
        unpaired_width += unpaired.high - unpaired.low
    # 400 draws at 95 %: fewer than 92.2 % has a probability below 1 %.
    assert covered / 400 > 0.922
    assert paired_width < 0.6 * unpaired_width


def test_too_few_samples_are_an_error() -> None:
    with pytest.raises(EvidenceError, match="at least 2"):
        paired_mean("d", np.ones(1), unit="x")
    with pytest.raises(EvidenceError, match="2 members"):
        paired_auc("a", np.ones(3), np.ones(3), np.array([True, False, False]))
