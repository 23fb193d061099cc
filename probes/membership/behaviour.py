"""How one model's behaviour compares with that of other models of its recipe, beyond means over all samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int

from probes.answers import Answers
from probes.evidence import Evidence
from probes.population import Population

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
    labels, replicas = evidence.labels, population.answers
    own = Models.of(evidence.audited, evidence.audited.correct(labels), pool.member[None], some)
    with_it, without = _totals(population, labels, some)
    found = {name: np.full(1 + len(population), np.nan) for name in ("deviation", "spread", "overconfidence", "errors")}

    def told(place: int, models: Models, number: int, inside: Sums, outside: Sums) -> None:
        for name, value in _of(models, number, inside, outside).items():
            found[name][place] = value

    told(0, own, 0, with_it, without)
    for order in np.unique(population.order):
        mine = np.flatnonzero(population.order == order)
        theirs = Models.of(replicas[mine], replicas[mine].correct(labels), population.keep[mine], some)
        inside, outside = with_it.less(theirs, theirs.keep), without.less(theirs, ~theirs.keep)
        for number, model in enumerate(mine):
            told(1 + int(model), theirs, number, inside, outside)
    return Behaviour(**found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Models:
    """A few models' answers on the samples of the pool, in float64."""

    margin: Float64[np.ndarray, "models samples"]
    correct: Float64[np.ndarray, "models samples"]
    confidence: Float64[np.ndarray, "models samples"]
    keep: Bool[np.ndarray, "models samples"]

    @classmethod
    def of(
        cls,
        answers: Answers,
        correct: Bool[np.ndarray, "models all"],
        keep: Bool[np.ndarray, "models all"],
        some: Bool[np.ndarray, " all"],
    ) -> Models:
        margin, right, confidence = (
            one[:, some].astype(np.float64) for one in (answers.margin, correct, answers.confidence)
        )
        return cls(margin=margin, correct=right, confidence=confidence, keep=keep[:, some])


def _totals(
    population: Population, labels: Int[np.ndarray, " all"], some: Bool[np.ndarray, " all"]
) -> tuple[Sums, Sums]:
    """Over the replicas that trained on a sample, and over the others."""
    inside, outside = Sums.none(int(some.sum())), Sums.none(int(some.sum()))
    for number in range(len(population)):
        answers = population.answers[np.array([number])]
        one = Models.of(answers, answers.correct(labels), population.keep[[number]], some)
        inside, outside = inside.less(one, one.keep, sign=-1), outside.less(one, ~one.keep, sign=-1)
    return inside, outside


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Per sample, over the models that a mask selects."""

    count: Float64[np.ndarray, " samples"]
    margin: Float64[np.ndarray, " samples"]
    correct: Float64[np.ndarray, " samples"]

    @classmethod
    def none(cls, samples: int) -> Sums:
        return cls(count=np.zeros(samples), margin=np.zeros(samples), correct=np.zeros(samples))

    def less(self, models: Models, mask: Bool[np.ndarray, "models samples"], sign: int = 1) -> Sums:
        """The sums without these models; with them if `sign` is −1."""
        return Sums(
            count=self.count - sign * mask.sum(axis=0),
            margin=self.margin - sign * (models.margin * mask).sum(axis=0),
            correct=self.correct - sign * (models.correct * mask).sum(axis=0),
        )


def _of(models: Models, number: int, inside: Sums, outside: Sums) -> Mapping[str, float]:
    """Samples that have the same membership in fewer than two other models are omitted."""
    margin, correct, confidence, keep = (
        one[number] for one in (models.margin, models.correct, models.confidence, models.keep)
    )
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
