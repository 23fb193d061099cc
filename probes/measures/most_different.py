"""The one property in which two parts of the data differ most, if they differ in it more than chance allows."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from probes.result import Estimate
from probes.statistics.distributions import midranks
from probes.statistics.stratified_auc import stratified_auc

PERMUTATIONS = 1999


def most_different(
    described: Float[np.ndarray, "samples properties"],
    part: Bool[np.ndarray, " samples"],
    rng: np.random.Generator,
    *,
    groups: Int[np.ndarray, " samples"] | None = None,
    name: str = "blind.auc",
    level: float = 0.95,
) -> Estimate | None:
    """How well the property tells the parts apart whose mean rank, or mean rank of the distance from the median,
    differs most: a permutation test of the largest difference (Westfall & Young 1993), so that the number of properties
    and how they depend on each other are paid for.

    described  properties of each sample, finite
    part       which samples are of the first part
    rng        draws the permutations
    groups     a number for each sample: sides are permuted among whole groups; None, the default, for none
    name       of the estimate; blind.auc by default
    level      1 − level is the error of the test, at least 0.0005; and of the interval, divided by the properties

    Returns its AUC, above one half, or None if chance may explain it.

    >>> rng = np.random.default_rng(0)
    >>> part = np.arange(120) % 2 == 0
    >>> described = rng.normal(size=(120, 50))
    >>> most_different(described, part, rng, level=0.99) is None
    True
    >>> described[part, 7] += 1.2
    >>> most_different(described, part, rng, level=0.99).low > 0.5
    True
    """
    values = np.hstack([described, np.abs(described - np.median(described, axis=0))])
    ranks = np.stack([_standard_ranks(column) for column in values.T], axis=1)
    units = np.arange(len(part)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    sides = np.bincount(units, weights=part) / np.bincount(units)
    drawn = np.stack([sides, *(rng.permutation(sides) for _ in range(PERMUTATIONS))])[:, units].astype(np.float32)
    difference = (drawn - drawn.mean(axis=1, keepdims=True)) @ ranks
    difference = np.abs(difference) / np.maximum(difference[1:].std(axis=0), 1e-12)
    largest = difference.max(axis=1)
    if (largest >= largest[0]).sum() > (1 - level) * len(largest):
        return None
    column = values[:, int(difference[0].argmax())]
    above = column if midranks(column)[part].mean() > midranks(column).mean() else -column
    each = 1 - (1 - level) / values.shape[1]
    found = stratified_auc(above, part, np.zeros(len(part), dtype=np.int64), cluster=groups, name=name, level=each)
    return found if found.low > 0.5 else None


def _standard_ranks(column: Float[np.ndarray, " samples"]) -> Float32[np.ndarray, " samples"]:
    ranks = midranks(column)
    return np.asarray((ranks - ranks.mean()) / max(float(ranks.std()), 1e-12), dtype=np.float32)
