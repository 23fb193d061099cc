"""Linear CKA between layers (Kornblith et al. 2019), minibatch by minibatch (Nguyen, Raghu & Kornblith 2021)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from probes.message import Message
from probes.result import Estimate
from probes.statistics.student_t import t_interval


def unbiased_hsic(
    one: Float[np.ndarray, "batches rows rows"], other: Float[np.ndarray, "batches rows rows"]
) -> Float64[np.ndarray, " batches"]:
    """HSIC₁ of two Gram matrices per batch (Song et al. 2012, eq. 5), with at least four rows; may be negative."""
    n = one.shape[-1]
    k, m = (np.where(np.eye(n, dtype=bool), 0.0, matrix.astype(np.float64)) for matrix in (one, other))
    trace = (k * m).sum(axis=(1, 2))
    product = k.sum(axis=(1, 2)) * m.sum(axis=(1, 2)) / ((n - 1) * (n - 2))
    cross = 2 / (n - 2) * (k.sum(axis=1) * m.sum(axis=1)).sum(axis=1)
    return np.asarray((trace + product - cross) / (n * (n - 3)))


def cka(name: str, one: Float[np.ndarray, "batches rows rows"], other: Float[np.ndarray, "batches rows rows"], *,
        level: float = 0.95) -> Estimate:  # fmt: skip
    """How alike two representations are: means of HSIC₁ over minibatches, then their ratio (Nguyen et al. 2021, eq. 3),
    with a jackknife interval over minibatches (Student's t).

    name        of the estimate
    one, other  Gram matrices of the same rows, a minibatch each; four rows at least
    level       two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns the estimate, a fraction.

    >>> rows = np.random.default_rng(0).normal(size=(3, 8, 5))
    >>> gram = rows @ rows.swapaxes(1, 2)
    >>> round(cka("cka.layer", gram, gram).value, 3)
    1.0
    """
    crossed, own, others = (unbiased_hsic(*pair) for pair in ((one, other), (one, one), (other, other)))
    value = _ratio(crossed.mean(), own.mean(), others.mean())
    count = len(crossed)
    if count < 2:
        return Estimate(
            name=name, value=value, low=min(value, -1.0), high=max(value, 1.0), level=level, n=count,
            unit="CKA", better="higher", caveat=Message("drift.one-minibatch"),
        )  # fmt: skip
    left = np.array(
        [_ratio(*(float(np.delete(part, i).mean()) for part in (crossed, own, others))) for i in range(count)]
    )
    spread = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    low, high = t_interval(value, spread, count - 1, level)
    return Estimate(
        name=name,
        value=value,
        low=low,
        high=high,
        level=level,
        n=count * one.shape[-1],
        unit="CKA",
        better="higher",
        dof=float(count - 1),
    )


def _ratio(crossed: float, own: float, other: float) -> float:
    """0 if a layer does not vary."""
    power = own * other
    return float(crossed / np.sqrt(power)) if own > 0 and other > 0 else 0.0
