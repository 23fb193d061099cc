"""How one model's behaviour compares with that of other models of its recipe, beyond means over all samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from probes.evidence import Evidence, Population

SMALLEST = 1e-9
"""Nats; added so that the logarithm of the deviation is finite for models with identical answers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Behaviour:
    """One number per model: the audited one first, then each replica compared with the replicas of other orders.

    `deviation` is the root mean square by which a model's margins differ from the mean margin that others have on the
    same sample with the same membership, for one further model (nats); `spread` the standard deviation of its margins
    over samples (nats); `overconfidence` its mean confidence minus its accuracy on held-out samples (a difference of
    shares); `errors` by how much its right and wrong answers on held-out samples differ from how often others are right
    there (mean absolute difference).
    """

    deviation: Float64[np.ndarray, " models"]
    spread: Float64[np.ndarray, " models"]
    overconfidence: Float64[np.ndarray, " models"]
    errors: Float64[np.ndarray, " models"]


def behaviour(evidence: Evidence, population: Population) -> Behaviour:
    """Sums over replicas minus those over a model's own order: O(replicas × samples)."""
    pool = evidence.pool
    some = pool.member | pool.held_out
    margin, correct, confidence = (
        np.concatenate([own, others])[:, some].astype(np.float64)
        for own, others in (
            (evidence.audited.margin, population.answers.margin),
            (evidence.audited.correct(evidence.labels), population.answers.correct(evidence.labels)),
            (evidence.audited.confidence, population.answers.confidence),
        )
    )
    keep = np.concatenate([pool.member[None], population.keep])[:, some]
    orders = np.concatenate([[-1], np.unique(population.order, return_inverse=True)[1]])
    with_it = Sums.of(margin[1:], correct[1:], keep[1:])
    without = Sums.of(margin[1:], correct[1:], ~keep[1:])
    found = {name: np.full(len(keep), np.nan) for name in ("deviation", "spread", "overconfidence", "errors")}
    for order in np.unique(orders):
        mine = np.flatnonzero(orders == order)
        own = mine if order >= 0 else mine[:0]
        inside = with_it.less(margin[own], correct[own], keep[own])
        outside = without.less(margin[own], correct[own], ~keep[own])
        for model in mine:
            told = _of(margin[model], correct[model], confidence[model], keep[model], inside, outside)
            for name, value in told.items():
                found[name][model] = value
    return Behaviour(**found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Per sample, over the models that a mask selects."""

    count: Float64[np.ndarray, " samples"]
    margin: Float64[np.ndarray, " samples"]
    correct: Float64[np.ndarray, " samples"]

    @classmethod
    def of(
        cls,
        margin: Float64[np.ndarray, "models samples"],
        correct: Float64[np.ndarray, "models samples"],
        mask: Bool[np.ndarray, "models samples"],
    ) -> Sums:
        return cls(
            count=mask.sum(axis=0).astype(np.float64),
            margin=(margin * mask).sum(axis=0),
            correct=(correct * mask).sum(axis=0),
        )

    def less(
        self,
        margin: Float64[np.ndarray, "models samples"],
        correct: Float64[np.ndarray, "models samples"],
        mask: Bool[np.ndarray, "models samples"],
    ) -> Sums:
        """The sums without these models."""
        own = Sums.of(margin, correct, mask)
        return Sums(count=self.count - own.count, margin=self.margin - own.margin, correct=self.correct - own.correct)


def _of(
    margin: Float64[np.ndarray, " samples"],
    correct: Float64[np.ndarray, " samples"],
    confidence: Float64[np.ndarray, " samples"],
    keep: Bool[np.ndarray, " samples"],
    inside: Sums,
    outside: Sums,
) -> Mapping[str, float]:
    """Samples that have the same membership in fewer than two other models are omitted."""
    count = np.where(keep, inside.count, outside.count)
    known, many = count >= 2, np.maximum(count, 1)
    expected = np.where(keep, inside.margin, outside.margin) / many
    # A mean of n others has an error of its own: a new model differs from it by √(1 + 1/n) of their spread.
    away = (margin - expected) / np.sqrt(1 + 1 / many)
    rate = outside.correct / np.maximum(outside.count, 1)
    held_out = ~keep & known
    return {
        "deviation": float(np.sqrt(np.mean(away[known] ** 2))) if known.any() else np.nan,
        "spread": float(margin.std()),
        "overconfidence": float(confidence[~keep].mean() - correct[~keep].mean()) if (~keep).any() else np.nan,
        "errors": float(np.abs(correct - rate)[held_out].mean()) if held_out.any() else np.nan,
    }
