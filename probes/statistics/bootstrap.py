"""Means over samples, by resampling the samples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from probes.errors import EvidenceError
from probes.result import Better, Estimate

DRAWS = 2000


def bootstrap_mean(
    name: str,
    values: Float[np.ndarray, " samples"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    better: Better = "neither",
    unit: str,
) -> Estimate:
    """The mean with its percentile bootstrap interval (Efron 1979), NaN samples left out.

    Raises EvidenceError where fewer than two samples are left.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if len(finite) < 2:
        raise EvidenceError(f"{name} needs at least 2 finite samples, got {len(finite)}.")
    draws = finite[rng.integers(len(finite), size=(DRAWS, len(finite)))].mean(axis=1)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    mean = float(finite.mean())
    return Estimate(
        name=name,
        value=mean,
        low=min(float(low), mean),
        high=max(float(high), mean),
        level=level,
        n=len(finite),
        unit=unit,
        better=better,
    )
