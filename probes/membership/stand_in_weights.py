"""Weights of an attack's features, learned from stand-ins by logistic regression."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

RIDGE = 1.0
"""Precision of the weights' normal prior about (1, 0, 0, …): with few stand-ins the first feature dominates."""
LARGEST = 20.0
"""Bound on a feature, in units of its standard deviation, where weights are fitted."""
STEPS, DECREASE = 50, 1e-2
"""The most Newton steps, and the decrease of the loss, in nats, at which the last one is taken."""
LEAST_CURVATURE = 1e-6
"""Of the loss, where stand-ins are all told apart and the intercept has no effect."""
ROUNDING = 1e-9
"""A slope, in nats, that is 0 but for rounding."""

Vector = Float64[np.ndarray, " weights"]
Matrix = Float64[np.ndarray, "weights weights"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Coefficients of a logistic regression on features divided by `scale`."""

    scale: Float64[np.ndarray, " columns"]
    weight: Float64[np.ndarray, " columns"]

    @classmethod
    def of_first(cls, columns: int) -> Weights:
        """The first feature alone."""
        return cls(scale=np.ones(columns), weight=np.eye(columns)[0])

    def __call__(self, found: Float64[np.ndarray, " columns models samples"]) -> Float64[np.ndarray, "models samples"]:
        return np.asarray(np.tensordot(self.weight / self.scale, found, axes=1))


def fit_weights(
    found: Float64[np.ndarray, "columns rows"], inside: Bool[np.ndarray, " rows"], *, positive: int
) -> Weights:
    """Maximum a posteriori estimate; the prior is centred on using the first feature only.

    found     features of stand-ins' answers
    inside    whether the stand-in trained on the sample
    positive  that many of the weights, the first ones, must be at least 0
    """
    scale = np.maximum(found.std(axis=1), 1e-12)
    signed = np.empty((len(found) + 1, found.shape[1]))
    np.divide(found, scale[:, None], out=signed[:-1])
    np.clip(signed[:-1], -LARGEST, LARGEST, out=signed[:-1])
    signed[-1] = 1.0
    signed *= np.where(inside, 1.0, -1.0)
    first = np.zeros(len(signed))
    first[0] = scale[0]
    best = _minimum(signed, first, positive)[:-1]
    return Weights(scale=scale, weight=best if best[:positive].any() else first[:-1])


def _minimum(signed: Float64[np.ndarray, "weights rows"], first: Vector, positive: int) -> Vector:
    """Newton's method with a line search; the last weight, the intercept, has no prior."""
    precision = np.append(np.full(len(first) - 1, RIDGE), 0.0)
    at, (loss, decay, score) = first, _loss(signed, first, first, precision)
    weighted = np.empty_like(signed)
    for _ in range(STEPS):
        # The slope of log(1 + exp(-score)), from an exponential that never overflows.
        slope = np.where(score < 0, 1.0, decay) / (1 + decay)
        gradient = precision * (at - first) - signed @ slope
        np.multiply(signed, slope * (1 - slope), out=weighted)
        hessian = weighted @ signed.T + np.diag(precision + LEAST_CURVATURE)
        step = _within_bounds(gradient, hessian, at, positive) - at
        decrease = float(-gradient @ step)
        if decrease < DECREASE:
            return np.asarray(at + step)
        size = 1.0
        while True:
            tried = at + size * step
            found = _loss(signed, tried, first, precision)
            if found[0] <= loss - 1e-4 * size * decrease or size < 1e-6:
                break
            size /= 2
        at, (loss, decay, score) = tried, found
    return at


def _loss(
    signed: Float64[np.ndarray, "weights rows"], at: Vector, first: Vector, precision: Vector
) -> tuple[float, Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
    """The negative log-posterior, exp(-|score|), and the score of each row."""
    score = at @ signed
    decay = np.exp(-np.abs(score))
    # NumPy's logarithm is vectorised, its log1p is not; the difference is below its rounding of the sum.
    value = np.log(1 + decay).sum() - np.minimum(score, 0).sum() + (precision * (at - first) ** 2).sum() / 2
    return float(value), decay, score


def _within_bounds(gradient: Vector, hessian: Matrix, at: Vector, positive: int) -> Vector:
    """The minimum of the quadratic model among weights whose `positive` first ones are at least 0: of all choices of
    those that are 0, the one for which the others keep the bound and no slope points inwards."""
    target, zero = hessian @ at - gradient, _choices(positive, len(at))
    free = ~zero
    systems = np.where(free[:, :, None] & free[:, None], hessian, np.eye(len(at)))
    found = np.linalg.solve(systems, (free * target)[:, :, None])[:, :, 0]
    slope = found @ hessian - target
    right = (found[:, :positive] >= 0).all(axis=1) & ((slope >= -ROUNDING) | free).all(axis=1)
    return np.asarray(found[right.argmax()] if right.any() else np.maximum(at, 0.0))


@functools.cache
def _choices(positive: int, weights: int) -> Bool[np.ndarray, "choices weights"]:
    """Which weights are 0: every choice among the first ones, the fewest first."""
    chosen = np.array(sorted(itertools.product((False, True), repeat=positive), key=sum), dtype=bool)
    return np.pad(chosen.reshape(-1, positive), ((0, 0), (0, weights - positive)))
