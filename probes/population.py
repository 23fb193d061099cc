"""Replicas, and what each answers about all samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from probes.answers import Answers
from probes.errors import EvidenceError
from probes.large_arrays import empty
from probes.plan import Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Population:
    """Replicas and their answers on all samples.

    rows     one per replica: the samples it trained on, its order
    answers  the replicas' answers on all samples, in the order of `rows`

    >>> from probes.answers import answers
    >>> rows = tuple(
    ...     Row(design="splits", repeat=0, fold=fold, order="splits/0", keep=np.arange(2) == fold) for fold in (0, 1)
    ... )
    >>> Population(rows=rows, answers=answers(np.zeros((2, 2, 3)), np.array([0, 1]))).keep.tolist()
    [[True, False], [False, True]]
    """

    rows: tuple[Row, ...]
    answers: Answers

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.answers):
            raise EvidenceError(f"population has {len(self.rows)} rows but answers of {len(self.answers)} models.")

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def keep(self) -> Bool[np.ndarray, "replicas samples"]:
        """Which replica trained on which sample."""
        found = empty(self.answers.margin.shape, np.bool_)
        for mask, row in zip(found, self.rows, strict=True):
            mask[...] = row.keep
        return found

    @cached_property
    def order(self) -> Int[np.ndarray, " replicas"]:
        """Equal numbers share minibatch order and initial head."""
        return np.unique([row.order for row in self.rows], return_inverse=True)[1].astype(np.int64)

    def design(self, name: str) -> Population:
        """The rows of one design; empty if the plan had none."""
        chosen = np.array([row.design == name for row in self.rows], dtype=bool)
        return Population(rows=tuple(row for row in self.rows if row.design == name), answers=self.answers[chosen])
