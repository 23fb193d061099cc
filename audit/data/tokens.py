"""Texts as arrays of stored tokens: the tokenizer's ids plus 1, and 0 for padding.

A token of a second text, for models that distinguish the two, is stored SECOND higher.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

SECOND = 2**20
"""More than any tokenizer's vocabulary."""


def stored_tokens(
    ids: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None = None
) -> Int64[np.ndarray, "samples length"]:
    """Ids of each text without padding, and their token types if the model has them.

    >>> stored_tokens([[0, 7], [3]]).tolist()
    [[1, 8], [4, 0]]
    """
    stored = np.zeros((len(ids), max(map(len, ids), default=0) or 1), dtype=np.int64)
    for row, one in enumerate(ids):
        stored[row, : len(one)] = np.asarray(one, dtype=np.int64) + 1
        if types is not None:
            stored[row, : len(one)] += SECOND * np.asarray(types[row], dtype=np.int64)
    return stored
