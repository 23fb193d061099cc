"""Persons as the groups of a pool, and joint scores of all records of a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.evidence import Evidence


@dataclass(frozen=True, kw_only=True, eq=False)
class Persons:
    """The persons whose pooled records are all on the same side of the split.

    `of_record` is the index in `numbers` of each pooled record's person, −1 if that person is left out.
    """

    numbers: Int[np.ndarray, " persons"]
    member: Bool[np.ndarray, " persons"]
    of_record: Int[np.ndarray, " pooled"]

    left_out: int = 0
    """Persons with records on both sides, who are neither members nor non-members."""

    @property
    def records(self) -> Int[np.ndarray, " persons"]:
        """Number of records of each person."""
        return np.bincount(self.of_record[self.of_record >= 0], minlength=len(self.numbers))

    def together(
        self, scores: Float[np.ndarray, "*models pooled"]
    ) -> dict[str, Float64[np.ndarray, "*models persons"]]:
        """A person's score as the mean of the records' scores, and as their maximum."""
        known = np.flatnonzero(self.of_record >= 0)
        known = known[np.argsort(self.of_record[known], kind="stable")]
        starts = np.concatenate([[0], np.cumsum(self.records)[:-1]])
        sorted_scores = scores[..., known].astype(np.float64)
        return {
            "mean": np.add.reduceat(sorted_scores, starts, axis=-1) / self.records,
            "best": np.maximum.reduceat(sorted_scores, starts, axis=-1),
        }

    def every(self, scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Both kinds of score for every attack."""
        return {f"{attack} ({how})": one for attack, own in scores.items() for how, one in self.together(own).items()}

    def kept(self, keep: Bool[np.ndarray, "models pooled"]) -> Bool[np.ndarray, "models persons"]:
        """Which persons trained each model with at least one record: designs keep whole groups together."""
        return np.asarray(self.together(keep.astype(np.float64))["best"] > 0)


def persons_of(evidence: Evidence) -> Persons | None:
    """None if the data has no groups."""
    if evidence.pool.groups is None:
        return None
    pooled = evidence.pool.indices
    numbers, of_record = np.unique(evidence.pool.groups[pooled], return_inverse=True)
    inside = np.bincount(of_record, weights=evidence.pool.member[pooled], minlength=len(numbers))
    records = np.bincount(of_record, minlength=len(numbers))
    whole = (inside == 0) | (inside == records)
    place = np.where(whole, np.cumsum(whole) - 1, -1)
    return Persons(
        numbers=numbers[whole], member=inside[whole] > 0, of_record=place[of_record], left_out=int((~whole).sum())
    )
