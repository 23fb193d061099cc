"""Replicas, which do not know the split, answer alike about the sides of a random one, and tell one that differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.evidence import Evidence
from probes.membership.replica_baseline import FEWEST, ReplicaBaseline, balanced_mean, replica_baseline
from tests.probes.membership.worlds import World


def baseline(evidence: Evidence) -> ReplicaBaseline | None:
    return replica_baseline(evidence, evidence.population.design("splits"), 0.99)


def easier_half(evidence: Evidence) -> Evidence:
    """Members are the samples that replicas find easier, with noise."""
    pool, pooled = evidence.pool, evidence.pool.indices
    ease = evidence.population.answers.margin.mean(axis=0) + np.random.default_rng(0).normal(0, 1, len(pool.labels))
    member = np.zeros(len(pool.labels), dtype=bool)
    member[pooled[np.argsort(-ease[pooled])[: len(pooled) // 2]]] = True
    held_out = (pool.member | pool.held_out) & ~member
    return dataclasses.replace(evidence, pool=dataclasses.replace(pool, member=member, held_out=held_out))


@pytest.mark.parametrize("leak", [0.0, 3.0])
def test_a_random_split_does_not_differ_however_much_is_remembered(leak: float) -> None:
    found = [baseline(World(leak=leak, seed=seed).evidence()) for seed in range(40)]
    assert sum(one is not None and one.differs for one in found) <= 2
    assert abs(np.mean([one.auc.value for one in found if one is not None]) - 0.5) < 0.04


def test_a_split_by_difficulty_differs_with_sixty_samples_on_a_side() -> None:
    found = [baseline(easier_half(World(leak=0.0, seed=seed).evidence())) for seed in range(10)]
    assert all(one is not None and one.auc.low > 0.5 for one in found)


def test_the_mean_is_balanced_and_lacks_what_replicas_of_one_kind_did_not_answer() -> None:
    rng = np.random.default_rng(0)
    answers, keep = rng.normal(size=(6, 50)), rng.random((6, 50)) < 0.4
    keep[:, 7] = True
    found = balanced_mean(answers, keep)
    for sample in range(50):
        means = [answers[side, sample].mean() if side.any() else np.nan for side in (keep[:, sample], ~keep[:, sample])]
        assert found[sample] == pytest.approx(sum(means) / 2, nan_ok=True)


def test_too_few_samples_or_no_replicas_have_no_baseline() -> None:
    few = World(leak=0.0, seed=0, members=FEWEST - 1, held_out=30).evidence()
    assert baseline(few) is None
    assert baseline(World(leak=0.0, seed=0, repeats=0).evidence()) is None
