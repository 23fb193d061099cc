"""Samples that pairs connect, directly or through others."""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Int, Int64


def connected(pairs: Int[np.ndarray, "pairs 2"], samples: int) -> Int64[np.ndarray, " samples"]:
    """A number for each sample, equal for those that pairs connect.

    pairs    samples from 0 to samples − 1
    samples  how many there are

    Returns the numbers, from 0.

    >>> connected(np.array([[0, 2], [3, 2]]), 5).tolist()
    [0, 1, 0, 0, 2]
    """
    graph = scipy.sparse.coo_matrix(
        (np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(samples, samples)
    )
    return np.asarray(scipy.sparse.csgraph.connected_components(graph, directed=False)[1], dtype=np.int64)
