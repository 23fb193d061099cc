from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from probes.errors import EvidenceError
from probes.result import Estimate
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.confidence_level import at_level, p_beyond
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.differences import newcombe_difference
from probes.statistics.multiplicity import holm, holm_levels
from probes.statistics.proportions import clopper_pearson, proportion


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_is_scipys_exact(successes: int, trials: int, level: float) -> None:
    if successes > trials:
        with pytest.raises(EvidenceError):
            clopper_pearson(successes, trials, level)
        return
    exact = stats.binomtest(successes, trials).proportion_ci(level, method="exact")
    assert clopper_pearson(successes, trials, level) == pytest.approx((exact.low, exact.high))


def test_newcombes_published_example() -> None:
    """Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10: 0.0524 to 0.3339."""
    found = newcombe_difference("gap", (56, 70), (48, 80))
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_newcombe_covers() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(500):
        one, other = int(rng.binomial(60, 0.95)), int(rng.binomial(90, 0.8))
        found = newcombe_difference("gap", (one, 60), (other, 90))
        hits += found.low <= 0.15 <= found.high
    assert hits / 500 >= 0.925


def test_nadeau_bengio_by_hand() -> None:
    folds = np.array([0.1, 0.2, 0.3])
    found = nadeau_bengio("gap", folds, n_train=80.0, n_test=20.0)
    half = stats.t.ppf(0.975, 2) * np.sqrt(0.01 * (1 / 3 + 20 / 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))
    assert found.dof == 2
    with pytest.raises(EvidenceError, match="2 folds"):
        nadeau_bengio("gap", folds[:1], n_train=8.0, n_test=2.0)


def test_bootstrap_covers() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        found = bootstrap_mean("m", rng.exponential(1.0, 60), rng, unit="x")
        hits += found.low <= 1.0 <= found.high
    assert 0.88 <= hits / 300 <= 0.99


@pytest.mark.parametrize("samples", [2, 3, 5])
def test_of_few_samples_the_interval_is_students(samples: int) -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(400):
        found = bootstrap_mean("m", rng.normal(size=samples), rng, unit="x")
        hits += found.low <= 0 <= found.high
    assert hits / 400 == pytest.approx(0.95, abs=0.03)
    assert found.dof == samples - 1


estimates = st.one_of(
    st.tuples(st.integers(1, 200), st.data()).map(lambda _: proportion("p", 3, 40)),
    st.sampled_from(
        [
            proportion("p", 0, 30),
            proportion("p", 30, 30),
            Estimate(name="t", value=0.2, low=0.1, high=0.3, n=9, unit="x", dof=8.0),
            Estimate(name="z", value=0.2, low=0.15, high=0.4, n=9, unit="x"),
            Estimate(name="cut below", value=0.2, low=0.0, high=0.6, n=9, unit="x"),
            Estimate(name="cut above", value=0.9, low=0.7, high=1.0, n=9, unit="x", dof=3.0),
        ]
    ),
)


@given(estimates, st.floats(0.001, 0.999), st.sampled_from([0.001, 0.01, 0.025, 0.05, 0.2]))
def test_p_values_and_intervals_agree(estimate: Estimate, threshold: float, alpha: float) -> None:
    low, high = at_level(estimate, 1 - 2 * alpha)
    assert (p_beyond(estimate, threshold, "above") < alpha) == (low > threshold) or abs(low - threshold) < 1e-9
    assert (p_beyond(estimate, threshold, "below") < alpha) == (high < threshold) or abs(high - threshold) < 1e-9


def test_a_narrower_level_does_not_move_an_end_that_the_scale_cut_off() -> None:
    """A rate between 0 and 61 % at 95 %: not above 3 % at 90 % either."""
    rate = Estimate(name="tpr", value=0.195, low=0.0, high=0.61, n=200, unit="TPR")
    low, high = at_level(rate, 0.90)
    assert low == 0
    assert high < 0.61
    assert p_beyond(rate, 0.03, "above") >= 0.5
    assert p_beyond(rate, 0.9, "below") < 0.001


def test_a_wider_level_does_not_leave_the_scale() -> None:
    one = Estimate(name="a", value=0.02, low=0.001, high=0.09, n=5, unit="TPR", dof=4.0)
    low, high = at_level(one, 0.99)
    assert low == 0.0
    assert high > one.high
    assert at_level(dataclasses.replace(one, unit="fraction"), 0.99)[0] < 0  # a difference of shares may


@pytest.mark.parametrize("dof", [None, 5.0])
def test_own_level_is_own_interval(dof: float | None) -> None:
    one = Estimate(name="t", value=0.2, low=0.1, high=0.35, n=9, unit="x", dof=dof)
    assert at_level(one, 0.95) == pytest.approx((0.1, 0.35))


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_levels_reject_what_holm_rejects(p_values: list[float]) -> None:
    p = np.array(p_values)
    by_level = p <= holm_levels(p, 0.05)
    by_adjusted = holm(p) <= 0.05
    borderline = np.isclose(holm(p), 0.05, atol=1e-12)
    np.testing.assert_array_equal(by_level | borderline, by_adjusted | borderline)
