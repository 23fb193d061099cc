"""The probe's own error rates by simulation (`make validate`); the figures are in docs/membership.md."""

from __future__ import annotations

import numpy as np
import pytest

from probes.membership import Membership
from probes.membership.exposure import exposure
from probes.membership.fdp import approximate_dp, gaussian_dp, refuted
from tests.probes.membership.simulated import SETTINGS, nulls, shifted_nulls
from tests.probes.membership.simulated_rates import coverage, drawn
from tests.probes.membership.stand_in_coverage import SETTINGS as SETTINGS_OF_STAND_INS
from tests.probes.membership.stand_in_coverage import coverage as stand_in_coverage
from tests.probes.membership.worlds import World

NULLS = 500


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_false_alarms_of_the_whole_ladder_over_five_hundred_nulls(setting: str) -> None:
    """Every attack runs; alarms on at most 5 %, and 0.5 is in the intervals of at least 94 %."""
    counted = nulls(setting, NULLS)
    print(f"{setting}: {dict(counted)}")
    assert counted["attacks"] >= 13
    # One standard error of a share of 5 % is 0.7 %.
    assert counted["leaks"] <= 0.05 * NULLS + 14
    assert counted["epsilon above 0"] <= 0.05 * NULLS + 14
    intervals = [name for name in counted if name.startswith(("checkpoint.", "recipe."))]
    assert len(intervals) == 11
    assert all(counted[name] >= 0.94 * NULLS for name in intervals), counted
    assert counted["exposure intervals that hold 0"] >= 0.94 * counted["exposure intervals"]
    assert counted["infidelity"] <= 0.03 * NULLS
    assert counted["exposed-samples"] <= 0.01 * NULLS
    assert counted["any finding above info"] <= 0.05 * NULLS + 14


@pytest.mark.slow
def test_a_split_that_differs_is_not_called_leakage_over_five_hundred_nulls() -> None:
    counted = shifted_nulls(NULLS)
    print(dict(counted))
    assert counted["leaks"] <= 0.05 * NULLS
    assert counted["split differs"] >= 0.95 * NULLS


@pytest.mark.slow
def test_intervals_cover_where_there_is_leakage() -> None:
    """The recipe's interval is about one pool: the pool is held, models are drawn. The truth is the mean over draws;
    exposure's truth is known by construction."""
    leak, draws = 1.0, 300
    found, exposed = [], []
    for models in range(draws):
        evidence = World(leak=leak, seed=1, models=models, repeats=6).evidence()
        one = Membership(repeats=6)(evidence, np.random.default_rng(models))["recipe.auc"]
        found.append((one.value, one.low, one.high))
        seen = exposure(evidence.population.answers.margin, evidence.population.keep, evidence.population.order)
        pooled = evidence.pool.indices
        exposed.append(np.mean((seen.low[pooled] <= leak) & (leak <= seen.high[pooled])))
    value, low, high = np.array(found).T
    covered = np.mean((low <= value.mean()) & (value.mean() <= high))
    print(f"recipe.auc covers {covered:.3f}, exposure {np.mean(exposed):.4f} of {draws} draws")
    assert covered >= 0.94
    assert np.mean(exposed) >= 0.94


@pytest.mark.slow
@pytest.mark.parametrize("leak", [0.0, 1.0])
def test_rates_of_the_recipe_pay_for_their_threshold(leak: float) -> None:
    """Where some false alarm may happen: 0.1 % of 480 non-members is none."""
    for repeats in (4, 16):
        made = drawn(leak, repeats, 200)
        for fpr in (0.05, 0.01):
            known, paid = coverage(made, fpr)
            print(f"leak {leak}, {repeats} repeats, {fpr:.0%}: {known:.3f} as if known, {paid:.3f} paid")
            assert paid >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("leak", "repeats"), SETTINGS_OF_STAND_INS)
def test_every_attacks_interval_over_stand_ins_covers(leak: float, repeats: int) -> None:
    """One standard error of 95 % of 300 is 1.3 %."""
    for attack, (covered, mean, width) in stand_in_coverage(leak, repeats, 300).items():
        print(f"leak {leak}, {repeats} repeats, {attack}: {covered:.3f}, AUC {mean:.3f}, width {width:.3f}")
        assert covered >= 0.92


@pytest.mark.slow
def test_f_dp_refutes_true_claims_rarely() -> None:
    """The Gaussian mechanism on every canary is exactly μ-GDP, randomised response exactly ε-DP."""
    rng = np.random.default_rng(0)
    for mu in (0.5, 1.0, 2.0):
        for share in (0.1, 0.3, 1.0):
            wrong = 0
            for _ in range(1000):
                included = rng.random(300) < 0.5
                order = np.argsort(-(included * mu + rng.normal(size=300)))
                half = round(share * 150)
                correct = int(included[order[:half]].sum() + (~included[order[-half:]]).sum())
                wrong += refuted(gaussian_dp(mu), 300, 2 * half, correct)
            print(f"mu {mu}, share {share}: refuted {wrong} of 1000")
            assert wrong <= 65
    for epsilon in (0.5, 2.0):
        truth = 1 / (1 + np.exp(-epsilon))
        wrong = sum(refuted(approximate_dp(epsilon, 0.0), 300, 300, rng.binomial(300, truth)) for _ in range(1000))
        print(f"epsilon {epsilon}: refuted {wrong} of 1000")
        assert wrong <= 65
