import numpy as np
import pytest
from scipy.optimize import minimize

from audit.training.transfer_selection import logme, resolve_transfer
from probes.errors import RecipeError
from tests.audit.conftest import small_experiment


def slow_logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Maximum over α and β of the log evidence of y ~ N(0, I/β + F Fᵀ/α), by a general optimiser."""
    n = len(features)
    evidence = []
    for label in np.unique(labels):
        y = (labels == label).astype(float)

        def negative(logs: np.ndarray, y: np.ndarray = y) -> float:
            alpha, beta = np.exp(logs)
            covariance = np.eye(n) / beta + features @ features.T / alpha
            return 0.5 * float(
                y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(covariance)[1] + n * np.log(2 * np.pi)
            )

        starts = [minimize(negative, start, method="Nelder-Mead") for start in ([0.0, 0.0], [2.0, 2.0])]
        evidence.append(-min(found.fun for found in starts) / n)
    return float(np.mean(evidence))


@pytest.mark.parametrize("width", [3, 30])
def test_logme_is_the_maximum_evidence(width):
    rng = np.random.default_rng(width)
    labels = rng.integers(0, 3, 20)
    features = rng.normal(size=(20, width)) + 2 * np.eye(3, width)[labels]
    assert logme(features, labels) == pytest.approx(slow_logme(features, labels), abs=2e-3)


def test_logme_prefers_features_that_tell_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    noise = rng.normal(size=(200, 10))
    telling = noise + 3 * np.eye(3, 10)[labels]
    assert logme(telling, labels) > logme(noise, labels) + 0.1


def test_too_few_members_to_choose_by():
    with pytest.raises(RecipeError, match=r"auto cannot divide the members into 3 folds.*Name a mode"):
        resolve_transfer(small_experiment(split={"members": 10, "held_out": 100}, transfer="auto"))
