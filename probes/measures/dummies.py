"""Which columns of a table are dummies of one categorical column."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def groups_of(table: Float[np.ndarray, "samples columns"]) -> list[tuple[int, int]]:
    """Stretches of columns [first, end) that belong together: neighbours of at most two values each, exactly one of
    which is on in every sample; a column of its own otherwise. Found from the values, since a table's names need not
    say so, and whatever the scaling: the larger value is on.

    table  numbers, in any scaling

    Returns (first, end) of each stretch, in order; together they hold every column once.

    >>> groups_of(np.array([[0.3, 1, 0, 0], [0.1, 0, 1, 0], [0.7, 0, 0, 1], [0.2, 1, 0, 0]]))
    [(0, 1), (1, 4)]
    """
    columns = table.shape[1]
    low, high = table.min(axis=0), table.max(axis=0)
    binary = ((table == low) | (table == high)).all(axis=0)
    # A value that no sample here has leaves a column that is off throughout.
    on = (table == high) & (high > low)
    groups, first = [], 0
    while first < columns:
        groups.append((first, _end(on, binary, first)))
        first = groups[-1][1]
    return groups


def _end(on: np.ndarray, binary: np.ndarray, first: int) -> int:
    """One past the last column of the group that begins at `first`: the first stretch that covers all samples once."""
    count = np.zeros(len(on), dtype=np.int64)
    for column in range(first, on.shape[1]):
        if not binary[column]:
            break
        count += on[:, column]
        if (count > 1).any():
            break
        if column > first and (count == 1).all():
            return column + 1
    return first + 1
