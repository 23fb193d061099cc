"""The light distributions against scipy.stats, which takes ten times as long to import."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from probes.statistics import distributions as light
from probes.statistics import student_t
from probes.statistics.differences import mcnemar

P = [1e-9, 1e-4, 0.025, 0.3, 0.5, 0.975, 1 - 1e-9]


@pytest.mark.parametrize("dof", [1, 2, 7.5, 100, 1e6, math.inf])
def test_student_and_normal_are_those_of_scipy(dof: float) -> None:
    law = stats.norm() if math.isinf(dof) else stats.t(dof)
    for p in P:
        assert student_t.t_quantile(p, dof) == pytest.approx(law.ppf(p), rel=1e-12)
    for x in (-9.0, -1.0, 0.0, 0.3, 2.0, 12.0):
        assert student_t.t_tail(x, dof) == pytest.approx(law.sf(x), rel=1e-12)


def test_students_interval_is_that_of_scipy_for_a_number_and_for_an_array() -> None:
    dof = np.array([1, 3, 40])
    assert (student_t.t_critical(0.9, dof) == stats.t.ppf(0.95, dof)).all()
    x = np.array([-1.0, 0.3, 12.0])
    assert (student_t.t_tail(x, 3) == stats.t.sf(x, 3)).all()
    low, high = student_t.t_interval(1.0, 0.5, 7, 0.9)
    assert (low, high) == pytest.approx(stats.t.interval(0.9, 7, loc=1.0, scale=0.5))


@pytest.mark.parametrize("n", [1, 2, 40, 3000])
def test_binomial_and_beta_are_those_of_scipy(n: int) -> None:
    for k in sorted({-1, 0, 1, n // 3, n - 1, n}):
        for p in (0.0, 1e-5, 0.05, 0.5, 0.99, 1.0):
            assert light.binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-12, abs=1e-300)
            assert light.binomial_tail(k, n, p) == pytest.approx(stats.binom.sf(k, n, p), rel=1e-12, abs=1e-300)
        if 0 <= k < n:
            for p in P:
                assert light.beta_quantile(p, k + 1, n - k) == pytest.approx(stats.beta.ppf(p, k + 1, n - k), rel=1e-10)


def test_midranks_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=100), rng.integers(0, 5, 100).astype(float), np.zeros(3), np.array([2.0])):
        assert (light.midranks(values) == stats.rankdata(values)).all()


def test_mcnemar_is_the_exact_binomial_test() -> None:
    for one, other in [(0, 0), (1, 0), (3, 3), (2, 9), (40, 25)]:
        known = stats.binomtest(one, one + other).pvalue if one + other else 1.0
        assert mcnemar(one, other) == pytest.approx(known, rel=1e-12)
