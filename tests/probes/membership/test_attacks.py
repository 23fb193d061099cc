"""Attacks beyond margins, each against a slow obvious reference, one that leaks and one that cannot."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from probes.errors import EvidenceError, NonFiniteError
from probes.membership.attackers import LADDER
from probes.membership.attacks import ATTACKS, not_run
from probes.membership.gradient_norm import last_layer_norm
from probes.membership.leave_one_out import rmia_stand_in_scores
from probes.membership.multi_query import agreement, lira_query_scores
from probes.membership.quantile_regression import quantile_scores
from probes.membership.rmia import rmia_scores
from probes.membership.target import folds, principal_components, target_of
from probes.statistics.roc import auc
from probes.texts import texts
from tests.probes.membership.worlds import OF_CLASSIFIERS, World


def test_the_gradient_norm_is_autograds() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
    head = torch.nn.Linear(4, 3).double()
    logits = head(torch.from_numpy(features)).detach().numpy()
    found = last_layer_norm(logits, features, labels)
    for x in range(6):
        head.zero_grad()
        functional.cross_entropy(
            head(torch.from_numpy(features[x : x + 1])), torch.tensor(labels[x : x + 1])
        ).backward()
        squares = sum(float((parameter.grad**2).sum()) for parameter in head.parameters())
        assert found[x] == pytest.approx(np.sqrt(squares))


def test_the_gradient_norm_keeps_the_confident_tail_apart() -> None:
    margins = np.array([20.0, 40.0, 60.0])
    logits = np.column_stack([margins, np.zeros(3)])
    found = last_layer_norm(logits, np.ones((3, 2)), np.zeros(3, dtype=np.int64))
    assert np.all(np.diff(np.log(found)) == pytest.approx(-20.0, abs=1e-6))


def split_halves(replicas: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    keep = rng.random((replicas, samples)) < 0.5
    keep[0], keep[1] = True, False
    return keep


def test_queries_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    keep = split_halves(9, 14, rng)
    phi, replicas = rng.normal(size=(3, 14)), rng.normal(size=(9, 3, 14)) + 100
    replicas[:, 1] += 0.8 * replicas[:, 0]
    found = lira_query_scores(phi, replicas, keep)
    for x in range(14):
        wanted = 0.0
        for sign, chosen in ((1, keep), (-1, ~keep)):
            residuals = [
                replicas[r, :, i] - replicas[chosen[:, i], :, i].mean(axis=0)
                for i in range(14)
                for r in np.flatnonzero(chosen[:, i])
            ]
            pooled = np.array(residuals).T @ np.array(residuals) / (int(chosen.sum()) - 14)
            n = int(chosen[:, x].sum())
            normal = stats.multivariate_normal(replicas[chosen[:, x], :, x].mean(axis=0), pooled * (1 + 1 / n))
            wanted += sign * normal.logpdf(phi[:, x])
        assert found[x] == pytest.approx(wanted, rel=1e-4, abs=1e-3)


def test_queries_that_say_the_same_do_not_break_it() -> None:
    rng = np.random.default_rng(2)
    keep, one = split_halves(8, 30, rng), rng.normal(size=(8, 30))
    own = rng.normal(size=30)
    found = lira_query_scores(np.stack([own, own]), np.stack([one, one], axis=1), keep)
    assert np.isfinite(found).all()


def test_query_arrays_that_do_not_fit_are_named() -> None:
    rng = np.random.default_rng(3)
    keep, phi, replicas = split_halves(6, 5, rng), rng.normal(size=(2, 5)), rng.normal(size=(6, 2, 5))
    with pytest.raises(EvidenceError, match="do not fit"):
        lira_query_scores.__wrapped__(phi, replicas[:, :1], keep)
    with pytest.raises(NonFiniteError, match="phi"):
        lira_query_scores(phi * np.nan, replicas, keep)
    with pytest.raises(EvidenceError, match="sample 0 out"):
        lira_query_scores(phi, replicas, keep | True)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_rmia_stand_ins_against_a_refit_each(mode: str) -> None:
    rng = np.random.default_rng(4)
    order, keep = np.repeat(np.arange(4), 2), np.zeros((8, 10), dtype=bool)
    for one in range(4):
        keep[2 * one] = rng.permutation(10) < 5
        keep[2 * one + 1] = ~keep[2 * one]
    log_p, log_z = np.log(rng.random((8, 10))), np.log(rng.random((8, 7)))
    found = rmia_stand_in_scores(log_p, keep, order, log_z, mode=mode, gamma=1.3, a=0.2)
    for r in range(8):
        others = order != order[r]
        wanted = rmia_scores(
            np.exp(log_p[r]),
            np.exp(log_p[others]),
            keep[others],
            np.exp(log_z[r]),
            np.exp(log_z[others]),
            mode=mode,
            gamma=1.3,
            a=0.2,
        )
        assert np.array_equal(found[r], wanted)


def test_stand_ins_of_one_order_alone_are_refused() -> None:
    keep = np.array([[True, False], [False, True]])
    with pytest.raises(EvidenceError, match="at least 2 repeats"):
        rmia_stand_in_scores(np.zeros((2, 2)), keep, np.zeros(2, dtype=np.int64), np.zeros((2, 3)))
    with pytest.raises(EvidenceError, match="log_p_z is empty"):
        rmia_stand_in_scores(np.zeros((2, 2)), keep, np.arange(2), np.zeros((2, 0)))


def test_quantiles_take_difficulty_out() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, 2))
    phi = 3 * x[:, 0] + rng.normal(size=600)
    member = np.arange(600) % 3 == 0
    phi[member] += 1.0
    known, scored = np.flatnonzero(~member)[:200], np.setdiff1d(np.arange(600), np.flatnonzero(~member)[:200])
    score = quantile_scores(phi[known], x[known], phi[scored], x[scored])
    assert auc(score, member[scored]).value > auc(phi[scored], member[scored]).value + 0.08
    # The share of non-members above the 90 % quantile (score 1) is what the name says, within a binomial's reach.
    assert 0.04 < (score[~member[scored]] > 1).mean() < 0.2


@pytest.mark.parametrize("shape", [(40, 7), (12, 90), (3, 3), (1, 5)])
def test_principal_components_are_those_of_the_singular_values(shape: tuple[int, int]) -> None:
    raw = np.random.default_rng(0).normal(size=shape)
    centred = raw - raw.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(centred, 5)
    assert found.shape == (shape[0], min(5, *shape))
    wanted = (left * size)[:, : found.shape[1]]
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-6)


def test_folds_keep_what_is_learned_from_apart() -> None:
    member = np.arange(53) % 2 == 0
    dealt = folds(member, np.random.default_rng(0))
    assert sorted(np.concatenate([fold.scored for fold in dealt])) == list(range(53))
    for fold in dealt:
        assert not set(fold.known) & set(fold.scored)
        assert not member[fold.known].any()


def test_agreement_counts_views() -> None:
    correct = np.array([True, True, False])
    queries = np.array([[True, False, True], [True, True, True]])
    assert agreement(correct, queries).tolist() == [2.0, 1.5, 0.0]


def test_attacks_that_lack_what_they_need_say_none() -> None:
    evidence = World(leak=1.0, seed=0, repeats=0, validation=0).evidence()
    target = target_of(evidence, evidence.population, np.random.default_rng(0))
    ran = {name for name, attack in ATTACKS.all().items() if attack(target) is not None}
    assert ran == {"loss", "entropy", "modified-entropy", "per-class"}
    said = " ".join(texts("en").say(one) for one in not_run(ran))
    assert OF_CLASSIFIERS - ran == {name for name in LADDER if f" {name}," in said or f" {name} (" in said}
    assert not_run(LADDER) == ()
