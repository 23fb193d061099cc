"""Memorisation of single samples (Feldman and Zhang)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from probes.large_arrays import parts

MEMORISED_AT = 0.5


def memorisation(
    correct: Bool[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"]
) -> Float64[np.ndarray, " samples"]:
    """mean(correct | in) − mean(correct | out), eq. 1; NaN if a side has no replica.

    correct  whether each replica predicts the label of each sample
    keep     whether it trained on it

    Returns a number in [−1, 1] for each sample. Feldman & Zhang 2020.

    >>> correct, keep = np.array([[True, True], [False, True]]), np.array([[True, False], [False, True]])
    >>> memorisation(correct, keep).tolist()
    [1.0, 0.0]
    """
    n_in, n_out = keep.sum(axis=0), len(keep) - keep.sum(axis=0)
    share_in, share_out = np.empty(keep.shape[1]), np.empty(keep.shape[1])
    for part in parts(keep.shape[1], len(keep)):
        right, inside = correct[:, part], keep[:, part]
        share_in[part] = (right & inside).sum(axis=0) / np.maximum(n_in[part], 1)
        share_out[part] = (right & ~inside).sum(axis=0) / np.maximum(n_out[part], 1)
    return np.where((n_in > 0) & (n_out > 0), share_in - share_out, np.nan)
