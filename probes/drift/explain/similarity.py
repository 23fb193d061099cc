"""The similarity of two attribution maps, per sample; 1 means identical."""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float64


def signed_cosine(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """Cosine of the signed maps; 0 if a map is all zero."""
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
            found[i] = scipy.stats.spearmanr(x[chosen], y[chosen]).statistic
    return found


def structural_similarity(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """SSIM (Wang et al. 2004) of maps scaled to a largest magnitude of one, with the usual Gaussian window (σ = 1.5)
    and constants for their range of two. NaN for maps of fewer than two axes, or smaller than the window's core."""
    if one.ndim != 3 or min(one.shape[1:]) < 4:
        return np.full(len(one), np.nan)
    a, b = (_scaled(m) for m in (one, other))

    def blurred(m: Float64[np.ndarray, "samples height width"]) -> Float64[np.ndarray, "samples height width"]:
        return np.asarray(scipy.ndimage.gaussian_filter(m, (0, 1.5, 1.5), truncate=3.5))

    mean_a, mean_b = blurred(a), blurred(b)
    var_a, var_b = blurred(a * a) - mean_a**2, blurred(b * b) - mean_b**2
    cov = blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    found = (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return np.asarray(found.mean(axis=(1, 2)))


def centre_distance(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """1 − the distance between the centres of mass, as a share of the map's diagonal. NaN if positions have no
    geometry (tables)."""
    if one.ndim != 3:
        return np.full(len(one), np.nan)
    height, width = one.shape[1:]
    rows, columns = (grid.ravel() for grid in np.mgrid[:height, :width])
    a, b = (_mass(m) for m in (one, other))
    moved = np.hypot((a - b) @ rows, (a - b) @ columns)
    return np.asarray(1 - moved / np.hypot(height, width))


def concentration(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."]
) -> Float64[np.ndarray, " samples"]:
    """1 − the difference of the maps' Gini coefficients: 1 if both are equally concentrated."""
    return np.asarray(1 - np.abs(gini(one) - gini(other)))


def gini(maps: Float[np.ndarray, "samples ..."]) -> Float64[np.ndarray, " samples"]:
    """The Gini coefficient of each map's magnitudes: 0 is mass spread evenly, 1 all at one position (Hurley & Rickard
    2009)."""
    ordered = np.sort(_mass(maps), axis=1)
    n = ordered.shape[1]
    return np.asarray(((2 * np.arange(1, n + 1) - n - 1) * ordered).sum(axis=1) / max(n - 1, 1))


def _carriers(mass: Float64[np.ndarray, " pixels"], share: float) -> Bool[np.ndarray, " pixels"]:
    order = np.argsort(-mass, kind="stable")
    chosen = np.zeros(len(mass), dtype=bool)
    chosen[order[: int(np.searchsorted(np.cumsum(mass[order]), share)) + 1]] = True
    return chosen


def _flat(maps: Float[np.ndarray, "samples ..."]) -> Float64[np.ndarray, "samples pixels"]:
    return maps.reshape(len(maps), -1).astype(np.float64)


def _scaled(maps: Float[np.ndarray, "samples ..."]) -> Float64[np.ndarray, "samples ..."]:
    top = np.abs(maps).max(axis=tuple(range(1, maps.ndim)), keepdims=True).astype(np.float64)
    return np.asarray(maps / np.where(top > 0, top, 1))


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
    "SSIM": structural_similarity,
    "centre of mass": centre_distance,
    "concentration": concentration,
}
