"""The table in which columns that give the label away are looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from probes.large_arrays import parts


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledTable:
    """Columns with the label, and the sides of the split.

    values    numbers, missing ones NaN
    columns   the features of each original column, by its name
    labels    whole numbers
    member    on which columns are found: learnt on one half, chosen on the other
    held_out  on which the chosen ones are judged; so nothing is owed for the number of columns
    """

    values: Shaped[np.ndarray, "samples features"]
    columns: Mapping[str, Sequence[int]]
    labels: Int[np.ndarray, " samples"]
    member: Bool[np.ndarray, " samples"]
    held_out: Bool[np.ndarray, " samples"]


def columns_of(table: Shaped[np.ndarray, "samples features"], names: Sequence[str]) -> dict[str, list[int]]:
    """The features of each original column: `status=A` and `status=B` that hold 0 and 1 are `status`."""
    marks = np.ones(table.shape[1], dtype=bool)
    for part in parts(*table.shape):
        marks &= ((table[part] == 0) | (table[part] == 1)).all(axis=0)
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        whole, equals, _ = name.partition("=")
        found.setdefault(whole if equals and marks[i] else name, []).append(i)
    return found
