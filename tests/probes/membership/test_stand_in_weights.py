"""Weights of an attack's features by logistic regression, against a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from probes.membership.stand_in_weights import LARGEST, RIDGE, Weights, fit_weights


def reference(found: np.ndarray, inside: np.ndarray, positive: int) -> np.ndarray:
    scale = found.std(axis=1)
    x = np.clip(found / scale[:, None], -LARGEST, LARGEST)
    first = np.eye(len(x))[0] * scale[0]

    def loss(w: np.ndarray) -> float:
        score = w[:-1] @ x + w[-1]
        return float(np.logaddexp(0, np.where(inside, -score, score)).sum() + RIDGE * ((w[:-1] - first) ** 2).sum() / 2)

    bounds = [(0.0, None)] * positive + [(None, None)] * (len(x) + 1 - positive)
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000, "maxfun": 100_000}
    return np.asarray(optimize.minimize(loss, np.append(first, 0.0), bounds=bounds, options=options).x[:-1])


@pytest.mark.parametrize("effects", [(1.0, 0.5, 0.2, -0.6), (1.0, -0.5, 0.2, -0.6), (-0.3, -0.5, 1.0, 0.6)])
def test_weights_are_the_maximum_a_posteriori_within_their_bounds(effects: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    found = rng.normal(size=(4, 4)) @ rng.normal(size=(4, 800)) * np.array([[0.5], [1.0], [3.0], [1.0]])
    inside = effects @ (found / found.std(axis=1)[:, None]) + 0.3 + rng.logistic(size=800) > 0
    fitted = fit_weights(found, inside, positive=3)
    assert fitted.weight == pytest.approx(reference(found, inside, 3), abs=2e-3)
    assert (fitted.weight[:3] >= 0).all()


@pytest.mark.parametrize("apart", [1.0, 1e6])
def test_separable_answers_and_constant_ones_get_finite_weights(apart: float) -> None:
    """Where all are told apart with certainty, the loss has no curvature."""
    found = np.array([[1.0, 2.0, -1.0, -2.0], [0.0, 0.0, 0.0, 0.0]]) + apart * np.array([1, 1, -1, -1])
    fitted = fit_weights(found, found[0] > 0, positive=1)
    assert np.isfinite(fitted.weight).all()
    assert fitted.weight[0] > 0


def test_no_positive_weight_leaves_the_first_feature() -> None:
    rng = np.random.default_rng(1)
    inside = rng.random(2000) < 0.5
    found = np.where(inside, -3.0, 3.0) + rng.normal(size=(1, 2000))
    fitted = fit_weights(found, inside, positive=1)
    assert fitted.weight == pytest.approx(fitted.scale)


def test_the_first_feature_alone() -> None:
    found = np.arange(6.0).reshape(3, 1, 2)
    assert Weights.of_first(3)(found).tolist() == [[0.0, 1.0]]
