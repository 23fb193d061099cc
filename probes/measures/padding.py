"""Padding of token ids."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

PADDING = 0


def words_of(tokens: Int[np.ndarray, "samples length"]) -> Bool[np.ndarray, "samples length"]:
    """Which tokens are words: all but the padding (id 0) at either end.

    tokens  whole numbers; 0 is padding at either end of a row

    Returns whether each token is a word.

    >>> words_of(np.array([[0, 5, 0, 6, 0]])).tolist()
    [[False, True, True, True, False]]
    """
    word = tokens != PADDING
    begun = np.maximum.accumulate(word, axis=1)
    ends = np.maximum.accumulate(word[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(begun & ends)
