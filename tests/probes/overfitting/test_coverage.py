"""Simulated coverage of every interval: how often the truth lies inside. Fewer runs in the ordinary suite, 500 in the
slow one, where 95 % intervals must cover 93 to 97 %, or be wider and say so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from probes.evidence import answers
from probes.overfitting.calibration import calibration_error
from probes.overfitting.learning_curve import Curve, extrapolate
from probes.overfitting.memorisation import memorised
from probes.plan import Splits
from probes.statistics import bootstrap_difference, bootstrap_mean, nadeau_bengio, newcombe_difference
from tests.probes.overfitting.trained import make_pool, population_evidence

Run = Callable[[np.random.Generator], tuple[float, float, float]]
"""One simulated audit: (low, truth, high)."""
MANY, FEW = 500, 120


def coverage(run: Run, runs: int) -> float:
    rng = np.random.default_rng(0)
    inside = [low <= truth <= high for low, truth, high in (run(rng) for _ in range(runs))]
    return float(np.mean(inside))


def newcombe(rng: np.random.Generator) -> tuple[float, float, float]:
    k, n = rng.binomial([300, 120], [0.97, 0.85]), [300, 120]
    found = newcombe_difference("gap", (int(k[0]), n[0]), (int(k[1]), n[1]))
    return found.low, 0.97 - 0.85, found.high


def losses(rng: np.random.Generator) -> tuple[float, float, float]:
    """Cross-entropies of normal margins: skewed, as log-losses are."""

    def draw(mean: float, spread: float, n: int) -> np.ndarray:
        return np.logaddexp(0, -rng.normal(mean, spread, n))

    found = bootstrap_difference("gap", draw(3, 3, 200), draw(6, 2, 200), rng, unit="nats")
    return found.low, 0.3641, found.high


def squared(rng: np.random.Generator) -> tuple[float, float, float]:
    found = bootstrap_mean("brier", (rng.beta(4, 1, 200) - (rng.random(200) < 0.8)) ** 2, rng, unit="squared error")
    # E (c − y)² with c of Beta(4, 1) and y of Bernoulli(0.8), independent: E c² − 2 · 0.8 · E c + 0.8.
    return found.low, 4 / 6 - 1.6 * 0.8 + 0.8, found.high


def calibrated(off: float) -> Run:
    def run(rng: np.random.Generator) -> tuple[float, float, float]:
        confidence = 1 - 0.7 * rng.beta(1, 3, 300)
        truth = confidence * (1 - off)
        found = calibration_error("ece", confidence, rng.random(300) < truth, 0.95)
        ranked = np.array_split(np.argsort(confidence, kind="stable"), 10)
        errors = [(truth[chosen].mean() - confidence[chosen].mean()) ** 2 for chosen in ranked]
        return found.low, float(np.sqrt(np.mean(errors))), found.high

    return run


def curve(floor: float, exponent: float) -> Run:
    size = np.array([50.0, 100.0, 200.0])

    def error(n: np.ndarray) -> np.ndarray:
        return floor + 0.3 * (n / 50) ** -exponent

    def run(rng: np.random.Generator) -> tuple[float, float, float]:
        spread = np.sqrt(error(size) * (1 - error(size)) / 600)
        seen = Curve(size=size, error=error(size) + rng.normal(size=3) * spread, spread=spread, dof=20.0)
        drawn = extrapolate(seen, np.array([200.0, 400.0]), rng, draws=500).draws
        low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
        truth = error(np.array([200.0, 400.0]))
        return float(low), float(truth[0] - truth[1]), float(high)

    return run


def centroids(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping clouds in 20 dimensions: a nearest-centroid rule overfits them."""
    labels = rng.integers(0, 2, n)
    return rng.normal(size=(n, 20)) + 0.35 * (2 * labels[:, None] - 1) / np.sqrt(20) * 2, labels


def centroid_gap(x: np.ndarray, y: np.ndarray, keep: np.ndarray) -> float:
    """Accuracy on what the rule was fitted to less that on the rest."""
    means = np.stack([x[keep & (y == label)].mean(axis=0) for label in (0, 1)])
    right = ((x[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1) == y
    return float(right[keep].mean() - right[~keep].mean())


def cross_validated(truth: float) -> Run:
    def run(rng: np.random.Generator) -> tuple[float, float, float]:
        x, y = centroids(100, rng)
        pool = make_pool(y, 80, 20, rng)
        gaps = [centroid_gap(x, y, row.keep) for row in Splits(repeats=4).rows(pool, rng)]
        found = nadeau_bengio("gap", np.array(gaps), n_train=80.0, n_test=20.0)
        return found.low, truth, found.high

    return run


def true_gap(runs: int = 4000) -> float:
    rng = np.random.default_rng(9)
    keep = np.arange(100) < 80
    return float(np.mean([centroid_gap(*centroids(100, rng), keep) for _ in range(runs)]))


def memory(rng: np.random.Generator) -> tuple[float, float, float]:
    """Members are right if trained on; 15 % of them are right otherwise at 10 %, the others at 95 %."""
    labels = np.zeros(250, dtype=np.int64)
    labels[::2] = 1
    pool = make_pool(labels, 200, 50, rng)
    rows = tuple(Splits(repeats=4).rows(pool, rng))
    keep = np.array([row.keep for row in rows])
    rare = rng.random(250) < 0.15
    right = keep | (rng.random(keep.shape) < np.where(rare, 0.1, 0.95))
    logits = np.where((right == (labels == 1))[..., None], [0.0, 1.0], [1.0, 0.0])
    made = population_evidence(pool, rows, answers(logits, labels))
    share = memorised(made, made.population, 0.95).estimates[0]
    return share.low, 0.15, share.high


RUNS: dict[str, Run] = {
    "newcombe": newcombe,
    "log-loss": losses,
    "brier": squared,
    "calibrated": calibrated(0.0),
    "miscalibrated": calibrated(0.15),
    "power law": curve(0.0, 0.5),
    "floor": curve(0.1, 1.0),
    "slow": curve(0.0, 0.2),
    "memorised": memory,
}
WIDER = {"calibrated"}
"""At its edge (no miscalibration) an interval that ends there covers more."""


@pytest.mark.parametrize("name", RUNS)
def test_intervals_cover(name: str) -> None:
    assert coverage(RUNS[name], FEW) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_intervals_cover_in_many_runs(name: str) -> None:
    # Three standard errors of 500 runs are 2.9 %: what covers 94 to 97 % is told from what does not.
    found = coverage(RUNS[name], MANY)
    assert found >= 0.93
    assert found <= (1.0 if name in WIDER else 0.98)


def test_cross_validated_gap_covers() -> None:
    """Nadeau–Bengio is wider than it needs to be, as published; the plain t interval is not wide enough."""
    truth = true_gap(1500)
    assert coverage(cross_validated(truth), FEW) >= 0.93


@pytest.mark.slow
def test_cross_validated_gap_covers_in_many_runs() -> None:
    assert coverage(cross_validated(true_gap()), MANY) >= 0.93
