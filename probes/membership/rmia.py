"""The relative membership-inference attack (Zarifzadeh, Liu & Shokri 2024)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.errors import EvidenceError, NonFiniteError
from probes.membership.lira import Mode, check

SMALLEST_PROBABILITY = 1e-30
ROUNDING = 1e-5
"""Tolerance: a float32 softmax may exceed one by this much."""


def rmia_scores(
    p: Float[np.ndarray, " samples"],
    p_replicas: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    p_z: Float[np.ndarray, " population"],
    p_z_replicas: Float[np.ndarray, "replicas population"],
    *,
    mode: Mode = "online",
    gamma: float = 1.0,
    a: float = 0.3,
) -> Float64[np.ndarray, " samples"]:
    """The share of z that x dominates: mean over z of [(p(x)/P(x)) / (p(z)/P(z)) > γ], strict (Zarifzadeh et al. 2024).

    p             the model's probability of each sample's label, in [0, 1]
    p_replicas    the same of each replica
    keep          which replica trained on which sample
    p_z           the model's probability of the label of samples z that no model trained on
    p_z_replicas  the same of each replica
    mode          online (the default): in- and out-replicas; offline: out-replicas only
    gamma         the factor by which x must dominate z, above 0; 1 by default
    a             parameter of the offline map from the out-mean to P, in [0, 1]; 0.3 by default

    Online: P is the mean over all replicas. Offline: P = ((1 + a) · mean_out + 1 − a) / 2 (eq. 10), the same map on z.

    Returns a score in [0, 1] for each sample, higher for members. Raises EvidenceError if shapes differ, z is empty,
    a number is not a probability, or a sample is never out (online: never in), NonFiniteError on NaN.

    >>> keep = np.array([[True, False], [False, True]])
    >>> p, replicas = np.array([0.9, 0.5]), np.array([[0.9, 0.5], [0.3, 0.7]])
    >>> rmia_scores(p, replicas, keep, np.array([0.5, 0.6]), np.array([[0.5, 0.6], [0.5, 0.6]])).tolist()
    [1.0, 0.0]
    """
    check(p, p_replicas, keep, mode, names=("p", "p_replicas"))
    if p_z.ndim != 1 or not len(p_z):
        raise EvidenceError(
            f"p_z has shape {p_z.shape}, expected one axis of at least one sample that no model trained on."
        )
    if p_z_replicas.shape != (len(p_replicas), len(p_z)):
        raise EvidenceError(f"p_z_replicas has shape {p_z_replicas.shape}, expected {(len(p_replicas), len(p_z))}.")
    for name, array in {"p": p, "p_replicas": p_replicas, "p_z": p_z, "p_z_replicas": p_z_replicas}.items():
        if not np.isfinite(array).all():
            raise NonFiniteError(f"{name} holds NaN or infinite values.")
        if array.min() < 0 or array.max() > 1 + ROUNDING:
            raise EvidenceError(
                f"{name} must hold probabilities, got {array.min():g}..{array.max():g}.", do="Hand in no logarithms."
            )
    if not (gamma > 0 and 0 <= a <= 1):
        raise EvidenceError(f"Expected gamma={gamma} > 0 and 0 <= a={a} <= 1.")
    wide, wide_z = p_replicas.astype(np.float64), p_z_replicas.astype(np.float64)
    seen = wide.mean(axis=0) if mode == "online" else np.where(keep, 0.0, wide).sum(axis=0) / (~keep).sum(axis=0)
    mean, mean_z = prior(seen, mode, a), prior(wide_z.mean(axis=0), mode, a)
    ratio = p.astype(np.float64) / np.maximum(mean, SMALLEST_PROBABILITY)
    ratio_z = p_z.astype(np.float64) / np.maximum(mean_z, SMALLEST_PROBABILITY)
    return dominated(ratio, ratio_z, gamma)


def dominated(
    ratio: Float64[np.ndarray, " samples"], ratio_z: Float64[np.ndarray, " population"], gamma: float
) -> Float64[np.ndarray, " samples"]:
    """The share of z with ratio / ratio_z > γ, by sorting: O((N + Z) log Z)."""
    return np.searchsorted(np.sort(ratio_z * gamma), ratio, side="left") / len(ratio_z)


def prior(mean: Float64[np.ndarray, " samples"], mode: Mode, a: float) -> Float64[np.ndarray, " samples"]:
    """P from the mean over replicas: over all of them, or over those that did not train on the sample (eq. 10)."""
    return mean if mode == "online" else np.asarray(((1 + a) * mean + 1 - a) / 2)
