"""A model's probabilities for a record under every value that one of its columns can have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Shaped

from probes.answers import log_softmax
from probes.measures.dummies import groups_of
from probes.observable import OfAudited, Subject, choose_both_sides
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 4096
MOST_VALUES = 8
"""Largest number of values of a column that is tried: an attacker would have to try them all."""
MOST_COLUMNS = 24


@dataclass(frozen=True, kw_only=True)
class ColumnQueries(OfAudited):
    """On members and as many held-out records, `samples` in all, for each column of at most `MOST_VALUES` values (the
    dummies of a word are one): `log_prob`, float64 [chosen columns values], of the label with the column at each value,
    NaN beyond its last; `value`, int64 [chosen columns], the place of its own; `first` and `end`, int64 [columns], its
    features."""

    samples: int = 2000

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_both_sides(pool, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        table = inputs.flatten(1).double().cpu().numpy()
        columns = few_valued(table)
        shape = (len(table), len(columns), MOST_VALUES)
        log_prob, value = np.full(shape, np.nan), np.zeros(shape[:2], dtype=np.int64)
        for place, (first, end) in enumerate(columns):
            settings, own = np.unique(table[:, first:end], axis=0, return_inverse=True)
            value[:, place] = own.reshape(-1)
            for number, setting in enumerate(settings):
                changed = inputs.flatten(1).clone()
                changed[:, first:end] = changed.new_tensor(setting)
                log_prob[:, place, number] = _label_log_prob(subject, changed.view_as(inputs), labels)
        ends = np.array(columns, dtype=np.int64).reshape(-1, 2)
        return {"log_prob": log_prob, "value": value, "first": ends[:, 0], "end": ends[:, 1]}


def few_valued(table: Float64[np.ndarray, "samples features"]) -> list[tuple[int, int]]:
    """Columns [first, end) with two values or more, at most `MOST_VALUES`; the first `MOST_COLUMNS` of them.

    >>> few_valued(np.array([[0.3, 1, 0, 0, 5], [0.1, 0, 1, 0, 5], [0.7, 0, 0, 1, 5]] * 4 + [[0.2, 1, 0, 0, 5]] * 9))
    [(0, 1), (1, 4)]
    """
    found = []
    for first, end in groups_of(table):
        count = len(np.unique(table[:, first:end], axis=0))
        if 2 <= count <= MOST_VALUES:
            found.append((first, end))
    return found[:MOST_COLUMNS]


def _label_log_prob(
    subject: Subject, inputs: Float[Tensor, "chosen ..."], labels: Int[Tensor, " chosen"]
) -> Float64[np.ndarray, " chosen"]:
    import torch

    parts: list[Int64[np.ndarray, " batch"]] = []
    with torch.inference_mode():
        for start in range(0, len(inputs), BATCH):
            logits = subject.network(inputs[start : start + BATCH]).double().cpu().numpy()
            own = labels[start : start + BATCH].cpu().numpy()
            parts.append(log_softmax(logits)[np.arange(len(own)), own])
    return np.concatenate(parts)
