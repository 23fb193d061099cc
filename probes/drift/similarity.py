"""How alike two attribution maps are, a sample at a time; 1 is the same."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from scipy import stats


def signed_cosine(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """Cosine of the signed maps; 0 where a map is all zero."""
    a, b = _flat(one), _flat(other)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(norms > 0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1), 0.0)


def top_overlap(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], share: float = 0.1
) -> Float64[np.ndarray, " samples"]:
    """The share of the top `share` of one map's magnitudes that are in the other's top too (Krishna 2022, features)."""
    a, b = np.abs(_flat(one)), np.abs(_flat(other))
    k = max(1, round(share * a.shape[1]))
    top_a, top_b = (np.argsort(-m, axis=1, kind="stable")[:, :k] for m in (a, b))
    return np.array([len(np.intersect1d(x, y)) / k for x, y in zip(top_a, top_b, strict=True)])


def jensen_shannon(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """1 − Jensen–Shannon divergence (bits) of the maps' mass |a| / Σ|a|."""
    a, b = (_mass(m) for m in (one, other))
    middle = (a + b) / 2
    return np.asarray(1 - (_entropy(middle) - (_entropy(a) + _entropy(b)) / 2))


def rank_correlation(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], mass: float = 0.95
) -> Float64[np.ndarray, " samples"]:
    """Spearman's correlation of magnitudes on the pixels that together carry `mass` of either map: ties on an empty
    background would fake agreement."""
    a, b = (_mass(m) for m in (one, other))
    found = np.zeros(len(a))
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        chosen = _carriers(x, mass) | _carriers(y, mass)
        if chosen.sum() > 2 and np.ptp(x[chosen]) > 0 and np.ptp(y[chosen]) > 0:
            found[i] = stats.spearmanr(x[chosen], y[chosen]).statistic
    return found


def _carriers(mass: Float64[np.ndarray, " pixels"], share: float) -> np.ndarray:
    order = np.argsort(-mass, kind="stable")
    chosen = np.zeros(len(mass), dtype=bool)
    chosen[order[: int(np.searchsorted(np.cumsum(mass[order]), share)) + 1]] = True
    return chosen


def _flat(maps: Float[np.ndarray, "samples ..."]) -> Float64[np.ndarray, "samples pixels"]:
    return maps.reshape(len(maps), -1).astype(np.float64)


def _mass(maps: Float[np.ndarray, "samples ..."]) -> Float64[np.ndarray, "samples pixels"]:
    magnitude = np.abs(_flat(maps))
    total = magnitude.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, magnitude / np.where(total > 0, total, 1), 1 / magnitude.shape[1]))


def _entropy(p: Float64[np.ndarray, "samples pixels"]) -> Float64[np.ndarray, " samples"]:
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1))).sum(axis=1))


SIMILARITIES = {
    "signed cosine": signed_cosine,
    "top-10 % overlap": top_overlap,
    "1 − Jensen–Shannon": jensen_shannon,
    "rank correlation": rank_correlation,
}
