"""Canaries for one-run privacy auditing (Steinke, Nasr & Jagielski 2023): mislabelled samples, each independently
included in the training with probability 1/2, and recorded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from probes.answers import logit_margin
from probes.errors import RecipeError
from probes.evidence import Canaries
from probes.plan import Pool, Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """`samples` are indices of the data set; `labels` the wrong labels with which they were trained if `included`."""

    samples: Int64[np.ndarray, " canaries"]
    labels: Int64[np.ndarray, " canaries"]
    included: Bool[np.ndarray, " canaries"]

    def into(self, row: Row, labels: Int64[np.ndarray, " samples"]) -> Row:
        """The row that trains on the included canaries too, under their wrong labels."""
        keep, targets = row.keep.copy(), (labels if row.targets is None else row.targets).copy()
        keep[self.samples[self.included]] = True
        targets[self.samples] = self.labels
        return dataclasses.replace(row, keep=keep, targets=targets)

    def scored(self, logits: Float[np.ndarray, "samples classes"]) -> Canaries:
        """Higher = more likely included: the margin of the wrong label, which only a model that saw it would give."""
        return Canaries(included=self.included, score=logit_margin(logits[self.samples], self.labels))


def plant(pool: Pool, classes: int, count: int, rng: np.random.Generator) -> tuple[Pool, Planted]:
    """Take `count` members out of the pool and make canaries of them.

    Raises RecipeError if too few members would be left.
    """
    members = np.flatnonzero(pool.member)
    if count > len(members) // 2:
        raise RecipeError(
            f"{count} canaries of {len(members)} members; at most half may be canaries.", where="canaries"
        )
    samples = np.sort(rng.choice(members, size=count, replace=False))
    wrong = (pool.labels[samples] + rng.integers(1, classes, count)) % classes
    member = pool.member.copy()
    member[samples] = False
    planted = Planted(samples=samples, labels=wrong.astype(np.int64), included=rng.random(count) < 0.5)
    return dataclasses.replace(pool, member=member), planted
