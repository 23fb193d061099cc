"""Similar samples tell what a model says of a region, and what training on neighbours did to a sample."""

from __future__ import annotations

import numpy as np
import pytest

from probes.membership import neighbours as module
from probes.membership.empirical_bayes import empirical_bayes_scores, empirical_bayes_stand_in_scores
from probes.membership.neighbours import NOISE, WIDTH, Neighbours
from probes.statistics.roc import auc


def described(samples: int = 60, features: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(samples, features)), np.arange(samples) % 2


def test_predictions_are_those_of_a_gaussian_process_fitted_without_the_sample() -> None:
    features, labels = described()
    values = np.random.default_rng(1).normal(size=(1, 60))
    found = Neighbours.of(features, labels)(values)[0]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    for sample in (0, 7, 59):
        rest = np.flatnonzero((labels == labels[sample]) & (np.arange(60) != sample))
        distance = ((scaled[rest, None] - scaled[rest]) ** 2).sum(axis=-1)
        covariance = np.exp(-distance / (WIDTH * 3)) + NOISE * np.eye(len(rest))
        to = np.exp(-((scaled[rest] - scaled[sample]) ** 2).sum(axis=-1) / (WIDTH * 3))
        assert found[sample] == pytest.approx(to @ np.linalg.solve(covariance, values[0, rest]), abs=1e-6)


def test_a_sample_alone_in_its_class_has_no_neighbours_and_constant_features_do_no_harm() -> None:
    features, labels = np.ones((5, 2)), np.array([0, 0, 0, 0, 1])
    found = Neighbours.of(features, labels)(np.ones((2, 5)))
    assert np.isfinite(found).all()
    assert (found[:, 4] == 0).all()


def test_a_part_of_the_samples_is_predicted_as_with_all() -> None:
    found, values = Neighbours.of(*described()), np.random.default_rng(1).normal(size=(2, 60))
    assert found(values, 7) == pytest.approx(found(values)[:, ::7], abs=1e-6)


def test_large_classes_are_cut_into_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_BLOCK", 8)
    features, labels = described()
    blocks = Neighbours.of(features, labels).samples
    assert max(map(len, blocks)) <= 8
    assert sorted(np.concatenate(blocks)) == list(range(60))
    assert all(len(set(labels[block])) == 1 for block in blocks)


def drifting(leak: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(φ of six targets and eight replicas, what they trained on, features, labels). Training also moves similar
    samples of the class, and each model errs alike in a region."""
    rng = np.random.default_rng(seed)
    n = 400
    features, labels = rng.normal(size=(n, 2)), rng.integers(0, 2, n)
    near = np.exp(-((features[:, None] - features) ** 2).sum(axis=-1)) * (labels[:, None] == labels)
    near /= near.sum(axis=1, keepdims=True)
    half = [rng.permutation(n) < n // 2 for _ in range(10)]
    keep = np.array([*half[:6], *(side for one in half[6:] for side in (one, ~one))])
    drift = rng.normal(size=(len(keep), n)) @ near.T
    drift /= drift.std()
    phi = rng.normal(2, 2, n) + leak * (keep + 4 * (keep - 0.5) @ near.T) + drift + 0.5 * rng.normal(size=keep.shape)
    return phi, keep, features, labels


def scored(phi: np.ndarray, keep: np.ndarray, neighbours: Neighbours | None) -> list[float]:
    log_p, order = -np.logaddexp(0, -phi), np.repeat(np.arange(4), 2)
    found = [
        empirical_bayes_scores(one, own, phi[6:], log_p[6:], keep[6:], order, neighbours)
        for one, own in zip(phi[:6], log_p[:6], strict=True)
    ]
    return [auc(one, member).value for one, member in zip(found, keep[:6], strict=True)]


def test_neighbours_help_an_attack_where_models_err_alike_in_a_region() -> None:
    phi, keep, features, labels = drifting(leak=0.5, seed=0)
    alone, jointly = (np.mean(scored(phi, keep, one)) for one in (None, Neighbours.of(features, labels)))
    assert jointly > alone + 0.03


def test_neighbours_find_nothing_where_nothing_leaks() -> None:
    """Six targets and eight stand-ins of four populations whose models err alike in a region."""
    targets, stood = [], []
    for seed in range(4):
        phi, keep, features, labels = drifting(leak=0.0, seed=seed)
        neighbours = Neighbours.of(features, labels)
        targets += scored(phi, keep, neighbours)
        log_p, order = -np.logaddexp(0, -phi[6:]), np.repeat(np.arange(4), 2)
        scores = empirical_bayes_stand_in_scores(phi[6:], log_p, keep[6:], order, neighbours)
        stood += [auc(one, member).value for one, member in zip(scores, keep[6:], strict=True)]
    assert abs(np.mean(targets) - 0.5) < 0.02
    assert abs(np.mean(stood) - 0.5) < 0.02
