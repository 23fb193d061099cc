"""Word-for-word memorisation, from the answers' token probabilities: nothing is generated."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from probes.errors import EvidenceError
from probes.sequences import TokenAnswers


def longest_run(tokens: TokenAnswers) -> Int64[np.ndarray, "models sequences"]:
    """Length in tokens of the longest sequence of each answer in which every token is the most likely one, given the
    preceding ones."""
    runs = np.zeros((len(tokens), len(tokens.counts)), dtype=np.int64)
    current = np.zeros((len(tokens), tokens.log_prob.shape[1] + 1), dtype=np.int64)
    first = np.zeros(tokens.log_prob.shape[1], dtype=bool)
    first[tokens.start[:-1]] = True
    for token in range(tokens.log_prob.shape[1]):
        before = 0 if first[token] else current[:, token]
        current[:, token + 1] = np.where(tokens.rank[:, token] == 0, before + 1, 0)
    runs[:] = np.maximum.reduceat(current[:, 1:], tokens.start[:-1], axis=1)
    return runs


def extractable(tokens: TokenAnswers, n: int, p: float) -> Bool[np.ndarray, "models sequences"]:
    """Whether `n` answers sampled from the model at temperature 1 contain the true one with probability `p` (0 < p < 1)
    or
    more: (n, p)-discoverable extraction (Hayes et al. 2025, eq. 3).

    Raises EvidenceError on n < 1 or p outside (0, 1).
    """
    if n < 1 or not 0 < p < 1:
        raise EvidenceError(f"Expected n={n} >= 1 and 0 < p={p} < 1.")
    return np.asarray(probability_within(tokens, n) >= p)


def probability_within(tokens: TokenAnswers, n: int) -> Float64[np.ndarray, "models sequences"]:
    """1 − (1 − q)^n, where q is the probability of the whole answer at temperature 1, exact for small q."""
    once = np.minimum(tokens.total(tokens.log_prob), -1e-300)
    return np.asarray(-np.expm1(n * np.log1p(-np.exp(np.maximum(once, -700.0)))))
