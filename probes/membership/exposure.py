"""Whom it hurts: how much each sample's margin moves when a model trains on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy import stats


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """Mean φ of replicas that trained on the sample, less the mean of those that did not, in nats; NaN where a side
    has fewer than two replicas."""

    value: Float64[np.ndarray, " samples"]
    low: Float64[np.ndarray, " samples"]
    high: Float64[np.ndarray, " samples"]


def exposure(
    phi: Float[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"], level: float = 0.95
) -> Exposure:
    """A Welch interval for each sample (Welch 1947)."""
    wide = phi.astype(np.float64)
    parts = []
    for chosen in (keep, ~keep):
        count = chosen.sum(axis=0)
        safe = np.maximum(count, 2)
        mean = np.where(chosen, wide, 0).sum(axis=0) / safe
        variance = (np.where(chosen, wide - mean, 0) ** 2).sum(axis=0) / (safe - 1) / safe
        parts.append((count, mean, np.maximum(variance, 1e-24)))
    (n_in, mean_in, v_in), (n_out, mean_out, v_out) = parts
    enough = (n_in >= 2) & (n_out >= 2)
    dof = (v_in + v_out) ** 2 / (v_in**2 / np.maximum(n_in - 1, 1) + v_out**2 / np.maximum(n_out - 1, 1))
    half = stats.t.ppf(0.5 + level / 2, dof) * np.sqrt(v_in + v_out)
    value = np.where(enough, mean_in - mean_out, np.nan)
    return Exposure(value=value, low=value - half, high=value + half)
