"""Quantile regression: the scores of similar non-members, learned without replicas (Bertran et al. 2023)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int

from probes.large_arrays import empty

MIDDLE, UPPER = 0.5, 0.9
FEWEST = 40
"""The fewest non-members to learn from; with fewer, the trees are constant."""


def quantile_scores(
    phi: Float[np.ndarray, " known"],
    described: Float[np.ndarray, "known features"],
    phi_scored: Float[np.ndarray, " scored"],
    described_scored: Float[np.ndarray, "scored features"],
) -> Float64[np.ndarray, " scored"]:
    """(φ − median) / (90 % quantile − median), both quantiles as functions of the sample, by boosted trees with the
    pinball loss on known non-members. The spread is at least a quarter of its usual size, so that no sample gets a high
    score just because two trees agree."""
    from sklearn.ensemble import HistGradientBoostingRegressor  # not needed to check a configuration

    def fitted(level: float) -> tuple[Float64[np.ndarray, " known"], Float64[np.ndarray, " scored"]]:
        trees = HistGradientBoostingRegressor(
            loss="quantile", quantile=level, max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, early_stopping=False
        ).fit(described, phi)
        return trees.predict(described), trees.predict(described_scored)

    (middle_known, middle), (upper_known, upper) = fitted(MIDDLE), fitted(UPPER)
    usual = float(np.median(upper_known - middle_known))
    floor = 0.25 * usual if usual > 0 else 1.0
    return np.asarray((phi_scored.astype(np.float64) - middle) / np.maximum(upper - middle, floor))


def describe(
    features: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, "samples described"]:
    """Features and label, one column per class."""
    classes, columns = np.unique(labels), features.shape[1]
    found = empty((len(labels), columns + len(classes)), np.float64)
    found[:, :columns], found[:, columns:] = features, labels[:, None] == classes
    return found
