"""Attacks that query the model several times per sample: shifted, flipped, ..."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.errors import EvidenceError, NonFiniteError

RIDGE = 1e-6
SMALLEST_VARIANCE = 1e-30


def lira_query_scores(
    phi: Float[np.ndarray, "queries samples"],
    phi_replicas: Float[np.ndarray, "replicas queries samples"],
    keep: Bool[np.ndarray, "replicas samples"],
) -> Float64[np.ndarray, " samples"]:
    """LiRA on the vector of all queries' φ (Carlini et al. 2022, VI-C): the log-ratio of two multivariate normals,
    higher = more likely a member.

    Centres are means over in- and over out-replicas per sample; within-sample covariances are pooled over samples and
    widened by 1 + 1/n for a centre estimated from n replicas, which matters if few are out.

    Raises EvidenceError if shapes differ or a sample is never in or never out, NonFiniteError on NaN.
    """
    if phi_replicas.shape[1:] != phi.shape or keep.shape != (len(phi_replicas), phi.shape[1]):
        raise EvidenceError(
            f"phi has shape {phi.shape}, phi_replicas {phi_replicas.shape}, keep {keep.shape}: they do not fit."
        )
    if not (np.isfinite(phi).all() and np.isfinite(phi_replicas).all()):
        raise NonFiniteError("phi or phi_replicas holds NaN or infinite values.")
    density = []
    for name, chosen in (("in", keep), ("out", ~keep)):
        count = chosen.sum(axis=0)
        if not count.all():
            raise EvidenceError(f"keep never has sample {int(np.argmin(count))} {name}.", do="Train more replicas.")
        centre, covariance = _moments(phi_replicas, chosen)
        wider = 1 + 1 / count
        away = phi.astype(np.float64) - centre
        distance = (away * np.linalg.solve(covariance, away)).sum(axis=0) / wider
        density.append(-0.5 * (distance + np.linalg.slogdet(covariance)[1] + len(phi) * np.log(wider)))
    return np.asarray(density[0] - density[1])


def _moments(
    phi: Float[np.ndarray, "replicas queries samples"], chosen: Bool[np.ndarray, "replicas samples"]
) -> tuple[Float64[np.ndarray, "queries samples"], Float64[np.ndarray, "queries queries"]]:
    """Mean per sample and the pooled covariance, computed one replica at a time to avoid a float64 copy of
    everything."""
    total, square = np.zeros(phi.shape[1:]), np.zeros((phi.shape[1], phi.shape[1]))
    # Centred on one replica, so that the difference of squares keeps its precision.
    origin = phi[0].astype(np.float64)
    for one, mask in zip(phi, chosen, strict=True):
        away = np.where(mask, one.astype(np.float64) - origin, 0.0)
        total += away
        square += away @ away.T
    count = chosen.sum(axis=0)
    within = square - (total / count) @ total.T
    covariance = within / max(1, int(count.sum()) - phi.shape[2])
    size = max(float(np.trace(covariance)) / len(covariance), SMALLEST_VARIANCE)
    return origin + total / count, covariance + RIDGE * size * np.eye(len(covariance))


def agreement(
    correct: Bool[np.ndarray, " samples"], query_correct: Bool[np.ndarray, "queries samples"]
) -> Float64[np.ndarray, " samples"]:
    """The share of queries, including the sample itself, that are assigned its label: all that a label-only attacker
    sees (Choquette-Choo et al. 2021). An error on the sample itself outweighs all other queries."""
    return np.asarray(correct * (1.0 + query_correct.mean(axis=0)))
