"""Every replica in turn as the audited model, attacked by replicas of other orders: LiRA by sufficient statistics.

Centres are means (not medians), so that sums of φ and φ², less the terms of one's own order, give every leave-one-out
score: O(replicas × samples), no refits.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.errors import EvidenceError


def stand_in_scores(
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    order: Int[np.ndarray, " replicas"],
) -> Float64[np.ndarray, "replicas samples"]:
    """LiRA online (mean centre, one variance for all samples) of each replica against all replicas of other orders.

    Raises EvidenceError where a sample is never in, or never out, among the other orders.
    """
    wide = phi.astype(np.float64)
    # Centring first keeps the sums of squares accurate.
    wide = wide - wide.mean()
    scores = np.empty_like(wide)
    totals = [_sums(wide, chosen) for chosen in (keep, ~keep)]
    for own in np.unique(order):
        mine = order == own
        moments = []
        for (count, one, two), chosen in zip(totals, (keep[mine], ~keep[mine]), strict=True):
            own_count, own_one, own_two = _sums(wide[mine], chosen)
            moments.append(_moments(count - own_count, one - own_one, two - own_two))
        (mean_in, spread_in), (mean_out, spread_out) = moments
        scores[mine] = (
            np.log(spread_out / spread_in)
            + 0.5 * ((wide[mine] - mean_out) / spread_out) ** 2
            - 0.5 * ((wide[mine] - mean_in) / spread_in) ** 2
        )
    return np.asarray(scores)


Sums = tuple[Float64[np.ndarray, " samples"], Float64[np.ndarray, " samples"], float]


def _sums(phi: Float64[np.ndarray, "some samples"], chosen: Bool[np.ndarray, "some samples"]) -> Sums:
    """Counts and sums a sample, and the sum of squares over everything (the variance is pooled)."""
    masked = np.where(chosen, phi, 0.0)
    return chosen.sum(axis=0).astype(np.float64), masked.sum(axis=0), float((masked**2).sum())


def _moments(
    count: Float64[np.ndarray, " samples"], one: Float64[np.ndarray, " samples"], two: float
) -> tuple[Float64[np.ndarray, " samples"], float]:
    if (count < 1).any():
        raise EvidenceError(
            f"sample {int(np.argmin(count))} is never in or never out among replicas of other orders.",
            do="Use at least 2 repeats.",
        )
    total = count.sum()
    variance = two / total - (one.sum() / total) ** 2
    return one / count, float(np.sqrt(max(variance, 1e-30)))
