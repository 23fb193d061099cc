"""f-DP in one run against a linear programme, against known figures, and on a mechanism whose μ is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from probes.errors import EvidenceError
from probes.membership.epsilon_bounds import epsilon_one_run
from probes.membership.fdp import (
    approximate_dp,
    epsilon_f_dp,
    epsilon_of_mu,
    gaussian_dp,
    mu_one_run,
    refuted,
)


def heaviest_tail(epsilon: float, canaries: int, guesses: int, correct: int) -> float:
    """The slow way for pure ε-DP, where every constraint is linear: maximise P[right ≥ correct] over all p."""
    i = np.arange(guesses + 1)
    rows, limits = [], []
    for least in range(1, guesses + 1):
        right = np.where(i >= least, i, 0) / canaries
        wrong = np.where(i >= least - 1, guesses - i, 0) / canaries
        # f̄(x) is the smaller of two lines, so it bounds where both do.
        rows += [right - np.exp(epsilon) * wrong, right - np.exp(-epsilon) * wrong]
        limits += [0.0, 1 - np.exp(-epsilon)]
    found = optimize.linprog(
        -(i >= correct).astype(float), A_ub=np.array(rows), b_ub=limits, A_eq=np.ones((1, guesses + 1)), b_eq=[1.0]
    )
    return float(-found.fun)


@pytest.mark.parametrize(("canaries", "guesses", "correct"), [(20, 12, 10), (40, 30, 22), (15, 15, 14)])
@pytest.mark.parametrize("epsilon", [0.2, 1.0])
def test_the_recursion_against_a_linear_programme(canaries: int, guesses: int, correct: int, epsilon: float) -> None:
    tail = heaviest_tail(epsilon, canaries, guesses, correct)
    f = approximate_dp(epsilon, 0.0)
    assert refuted(f, canaries, guesses, correct, level=1 - 1.001 * tail)
    assert not refuted(f, canaries, guesses, correct, level=1 - 0.999 * tail)


def test_known_answers() -> None:
    # All of 100 guesses right: the binomial's own tail, as Steinke's bound.
    assert epsilon_f_dp(1000, 100, 100, delta=0.0) == pytest.approx(3.4930, abs=2e-4)
    assert epsilon_f_dp(1000, 1000, 600, delta=0.0) == pytest.approx(0.2975, abs=0.01)
    # δ at ε of μ-GDP, from Dong, Roth & Su's formula by hand: Φ(−1/2) ... at ε = 0 is 2Φ(1/2) − 1.
    assert epsilon_of_mu(1.0, 0.3829249) == pytest.approx(0.0, abs=1e-5)
    assert epsilon_of_mu(1.0, 1e-5) == pytest.approx(4.3772, abs=1e-4)
    assert epsilon_of_mu(0.0, 1e-5) == 0.0


def published(mu: float, canaries: int, guesses: int, correct: int, error: float) -> float:
    """How far the published recursion (rh with a cap, as its authors wrote it) lies above what is possible at μ: it
    refutes where this is above 0."""
    tail = error * guesses / canaries
    right, wrong = [0.0] * (correct + 1), [0.0] * (correct + 1)
    right[correct], wrong[correct] = tail * correct / guesses, tail * (guesses - correct) / guesses
    for i in range(correct - 1, -1, -1):
        wrong[i] = max(wrong[i + 1], float(special.ndtr(special.ndtri(right[i + 1]) - mu)))
        right[i] = right[i + 1] + i / (guesses - i) * (wrong[i] - wrong[i + 1])
    return right[0] + wrong[0] - guesses / canaries


@pytest.mark.parametrize(
    ("canaries", "guesses", "correct"), [(1000, 1000, 600), (1000, 100, 95), (500, 200, 150), (2000, 300, 300)]
)
def test_the_gaussian_bound_is_that_of_the_published_recursion(canaries: int, guesses: int, correct: int) -> None:
    """To 1e-5 in μ, by another search for the largest that is refuted."""
    found = mu_one_run(canaries, guesses, correct)
    root = optimize.brentq(lambda mu: published(mu, canaries, guesses, correct, 0.05), 1e-3, 15.0, xtol=1e-9)
    assert found == pytest.approx(root, abs=1e-5)


def test_delta_costs_less_than_in_the_other_bound() -> None:
    assert epsilon_f_dp(1000, 100, 100, delta=1e-3) > epsilon_one_run(1000, 100, 100, delta=1e-3) + 2


def test_a_trade_off_function_is_its_own_inverse_where_it_must_be() -> None:
    for f in (approximate_dp(0.7, 1e-3), gaussian_dp(1.3)):
        assert f(0.0) == pytest.approx(0.0, abs=1e-12)
        values = [f(y) for y in np.linspace(0, 1, 50)]
        assert np.all(np.diff(values) >= 0)
        assert all(value <= y + 1e-12 for value, y in zip(values, np.linspace(0, 1, 50), strict=True))


def test_the_gaussian_bound_is_below_the_truth_and_near_it() -> None:
    rng, mu, bounds = np.random.default_rng(0), 1.5, []
    for _ in range(12):
        included = rng.random(1000) < 0.5
        order = np.argsort(-(included * mu + rng.normal(size=1000)))
        correct = int(included[order[:100]].sum() + (~included[order[-100:]]).sum())
        bounds.append(mu_one_run(1000, 200, correct))
    assert max(bounds) < mu
    assert np.mean(bounds) > 0.6 * mu


def test_impossible_counts_are_named() -> None:
    with pytest.raises(EvidenceError, match="correct=6"):
        epsilon_f_dp(10, 5, 6, delta=0.0)
    with pytest.raises(EvidenceError, match="delta"):
        epsilon_of_mu(1.0, 0.0)
