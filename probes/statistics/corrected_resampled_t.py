"""Means over cross-validation folds, whose training sets overlap."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from probes.errors import EvidenceError
from probes.result import Better, Estimate
from probes.statistics.student_t import t_interval


def nadeau_bengio(
    name: str,
    folds: Float[np.ndarray, " folds"],
    *,
    n_train: float,
    n_test: float,
    level: float = 0.95,
    better: Better = "neither",
    unit: str = "fraction",
) -> Estimate:
    """The mean over J folds with the corrected resampled t interval (Nadeau & Bengio 2003): variance s² (1/J +
    n_test/n_train), J − 1 degrees of freedom.

    name             of the estimate
    folds            one value per fold, in `unit`; at least two
    n_train, n_test  numbers of training and test samples of a fold, or any numbers in their ratio
    level            two-sided coverage of the interval, in (0, 1); 0.95 by default
    better           which direction is better for the model: higher, lower or neither (the default)
    unit             of the values; fraction by default

    Folds share training samples, and the plain s²/J would be too small. This one is wide: in simulations (4 × 5 folds
    of 100 samples, nearest centroids) it covered more than 99 % instead of 95 %.

    Returns the estimate. Raises EvidenceError if there are fewer than two folds.

    >>> found = nadeau_bengio("recipe.accuracy_gap", np.array([0.1, 0.2, 0.1, 0.2]), n_train=3.0, n_test=1.0)
    >>> round(found.value, 3), found.dof
    (0.15, 3.0)
    """
    j = len(folds)
    if j < 2:
        raise EvidenceError(f"Expected at least 2 folds, got {j}.")
    values = folds.astype(np.float64)
    mean = float(values.mean())
    spread = math.sqrt(float(values.var(ddof=1)) * (1 / j + n_test / n_train))
    low, high = t_interval(mean, spread, j - 1, level)
    return Estimate(
        name=name,
        value=mean,
        low=low,
        high=high,
        level=level,
        n=j,
        unit=unit,
        better=better,
        dof=float(j - 1),
        counted="folds",
        fixed_share=n_test / n_train / (1 / j + n_test / n_train),
    )
