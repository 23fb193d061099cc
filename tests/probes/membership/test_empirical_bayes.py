"""The empirical-Bayes attack: better than LiRA where replicas are few, and blind where nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from probes.membership.empirical_bayes import (
    EmpiricalBayes,
    Expected,
    empirical_bayes_scores,
    empirical_bayes_stand_in_scores,
    replicas_of,
)
from probes.membership.lira import lira_scores
from probes.membership.order_intervals import over_orders, stand_in_aucs
from probes.membership.replica_moments import Moments
from probes.membership.rmia import rmia_scores
from probes.membership.variance_stabilisation import stabiliser
from probes.statistics.roc import auc
from tests.probes.membership.worlds import World


def transfer(seed: int, repeats: int, kind: str) -> tuple[np.ndarray, ...]:
    """(φ of 6 targets, their masks, φ of replicas, masks, orders), 1,200 samples: what training changes, and how much
    models differ, depend on the sample. `kind` says whether the noise is that of the margin or of the probability."""
    rng = np.random.default_rng(seed)
    n = 1200
    hard, change = rng.normal(2, 2, n), rng.gamma(1.5, 0.8, n)
    spread = rng.gamma(4, 0.25, n) if kind == "margins" else 0.3 + np.log1p(np.exp(hard))
    keep = np.array([row for _ in range(repeats) for half in [rng.permutation(n) < n // 2] for row in (half, ~half)])
    targets = np.array([rng.permutation(n) < n // 2 for _ in range(6)])
    phi = [hard + change * one + spread * rng.normal(size=one.shape) for one in (targets, keep)]
    return phi[0], targets, phi[1], keep, np.repeat(np.arange(repeats), 2)


def log_p(phi: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -phi)


def mean_auc(scores: list[np.ndarray], member: np.ndarray) -> float:
    return float(np.mean([auc(one, who).value for one, who in zip(scores, member, strict=True)]))


def ours(own: np.ndarray, phi: np.ndarray, keep: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    return [empirical_bayes_scores(one, log_p(one), phi, log_p(phi), keep, order) for one in own]


def test_four_replicas_reach_what_lira_has_with_sixteen() -> None:
    own, member, phi, keep, order = transfer(0, 8, "margins")
    lira = [lira_scores(one, phi, keep, variance="global") for one in own]
    assert mean_auc(ours(own, phi[:4], keep[:4], order[:4]), member) > mean_auc(lira, member) - 0.005


def test_it_takes_the_better_end_of_the_family() -> None:
    """Where confident answers are noisy, RMIA's ratio is far ahead of LiRA, and this is level with it."""
    own, member, phi, keep, order = transfer(1, 4, "probabilities")
    z = np.full(1, 0.5), np.full((8, 1), 0.5)
    rmia = mean_auc([rmia_scores(np.exp(log_p(one)), np.exp(log_p(phi)), keep, *z) for one in own], member)
    lira = mean_auc([lira_scores(one, phi, keep, variance="global") for one in own], member)
    found = mean_auc(ours(own, phi, keep, order), member)
    assert found > lira + 0.02
    assert found > rmia - 0.005


def test_stand_ins_are_scored_by_sums_as_they_would_be_by_a_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Except for the weights, learnt without a stand-in's own group, its features are those of a refit without it,
    whatever the number of orders that are computed together."""
    _, _, phi, keep, order = transfer(2, 3, "margins")
    shuffled = np.random.default_rng(0).permutation(6)
    replicas, _, total = replicas_of(phi[shuffled], log_p(phi)[shuffled], keep[shuffled], order[shuffled])
    monkeypatch.setattr("probes.membership.empirical_bayes.AT_ONCE", 3000)
    for mine, found in replicas.stand_ins(np.unique(order), total):
        for row, each in zip(mine, found.swapaxes(0, 1), strict=True):
            others = replicas.order != replicas.order[row]
            start = np.zeros(1, dtype=np.int64)
            sums = Moments.of(replicas.stable[others], replicas.log_p[others], replicas.keep[others], start)
            refit = Expected.by(sums, replicas.spread)
            again = refit.features(replicas.stable[row, None], replicas.log_p[row, None], start)
            assert each == pytest.approx(again[:, 0], abs=1e-9)
            assert each[2] == pytest.approx(replicas.stable[row] - replicas.stable[others].mean(axis=0))


def test_the_score_is_the_log_ratio_of_two_t_densities() -> None:
    """The reference is SciPy's density, at locations and scales that are written out here."""
    own, _, phi, keep, order = transfer(4, 3, "margins")
    replicas, stable, total = replicas_of(phi, log_p(phi), keep, order)
    expected = Expected.by(total, replicas.spread)
    found = expected.features(stable(own[:1]), log_p(own[:1]), np.zeros(1, dtype=np.int64))
    x, dof = stable(own[0]), expected.dof[0]
    densities = [
        stats.t.logpdf(x, dof, expected.centre[0] + moved[0], np.sqrt(spread[0] / dof))
        for moved, spread in ((expected.if_in, expected.spread_in), (expected.if_out, expected.spread_out))
    ]
    assert found[0, 0] == pytest.approx(densities[0] - densities[1], abs=1e-9)
    moved = expected.if_in - expected.if_out
    assert (moved > 0).mean() > 0.9


def test_models_scored_together_are_scored_as_one_by_one() -> None:
    own, _, phi, keep, order = transfer(5, 3, "margins")
    together = EmpiricalBayes.of(phi, log_p(phi), keep, order)(own, log_p(own))
    assert together == pytest.approx(np.array(ours(own, phi, keep, order)), abs=1e-9)


def test_stand_ins_are_not_distinguished_where_nothing_leaks() -> None:
    """12 populations of models that differ as real ones do."""
    values, held = [], 0
    for seed in range(12):
        evidence = World(leak=0.0, seed=seed, repeats=4, noise=(0.7, 1.7), folds_correlate=-0.65).evidence()
        population, pooled = evidence.population, evidence.pool.indices
        phi, log = population.answers.margin[:, pooled], population.answers.log_prob[:, pooled]
        keep = population.keep[:, pooled]
        each = stand_in_aucs(empirical_bayes_stand_in_scores(phi, log, keep, population.order), keep)
        one = over_orders("a", each, population.order, level=0.95, unit="AUC", bounds=(0.0, 1.0))
        values.append(one.value)
        held += one.low <= 0.5 <= one.high
    assert abs(np.mean(values) - 0.5) < 0.02
    assert held >= 10


def test_stabilised_margins_spread_more_alike() -> None:
    _, _, phi, keep, _ = transfer(3, 16, "probabilities")
    mapped = stabiliser(phi, keep)(phi)
    spread = np.where(keep, mapped, np.nan)
    spread = np.nanstd(spread, axis=0)
    easy = phi.mean(axis=0) > np.median(phi.mean(axis=0))
    raw = np.nanstd(np.where(keep, phi, np.nan), axis=0)
    before = np.median(raw[easy]) / np.median(raw[~easy])
    assert np.median(spread[easy]) / np.median(spread[~easy]) < 0.8 * before
    assert (np.diff(stabiliser(phi, keep)(np.linspace(-50, 50, 200))) > 0).all()


def test_weights_are_learnt_from_every_few_samples_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    own, member, phi, keep, order = transfer(0, 4, "margins")
    replicas, _, total = replicas_of(phi, log_p(phi), keep, order)
    whole = list(replicas.stand_ins(np.unique(order), total))
    for (rows, found), (same, thinned) in zip(whole, replicas.stand_ins(np.unique(order), total, 3), strict=True):
        assert np.array_equal(rows, same)
        assert np.array_equal(found[:, :, ::3], thinned)
    every = mean_auc(ours(own, phi, keep, order), member)
    monkeypatch.setattr("probes.membership.empirical_bayes.LARGEST_FIT", phi.size // 3)
    assert mean_auc(ours(own, phi, keep, order), member) == pytest.approx(every, abs=0.01)
