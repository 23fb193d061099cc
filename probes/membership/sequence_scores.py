"""Attack scores on sequences: higher means more likely a member.

Without replicas: loss, zlib, Min-K %, Min-K %++, ReCaLL, lower-casing. With the base model, which anyone with the
fine-tuned model usually has too: likelihood ratio, error zone, window comparison. Loss, LiRA and RMIA on sequences are
the same as on other samples, applied to the loss in nats per token.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int

from probes.errors import EvidenceError
from probes.sequences import TokenAnswers

K = 0.2
"""The share of tokens used by Min-K %: 20 % was best or nearly best in both papers."""
WIDTHS = (2, 3, 4, 6, 9, 13, 18, 25, 32, 40)
"""Window widths in tokens, approximately geometric."""
TINY = 1e-8

PerModel = Float64[np.ndarray, "models sequences"]


def compressed_bytes(texts: Sequence[str]) -> Int[np.ndarray, " sequences"]:
    """The size in bytes of each text compressed by zlib.

    >>> compressed_bytes(["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "a"]).tolist()
    [11, 9]
    """
    return np.array([len(zlib.compress(text.encode())) for text in texts], dtype=np.int64)


def zlib_ratio(own: TokenAnswers, compressed: Int[np.ndarray, " sequences"]) -> PerModel:
    """Negative loss per token divided by the text's size compressed by zlib (Carlini et al. 2021, section 5.1.2)."""
    return np.asarray(own.average(own.log_prob) / compressed)


def min_k(own: TokenAnswers, k: float = K) -> PerModel:
    """Mean log-probability of the least likely `k` (0..1] of the tokens (Shi et al. 2024)."""
    return _lowest(own, own.log_prob.astype(np.float64), k)


def min_k_plus_plus(own: TokenAnswers, k: float = K) -> PerModel:
    """Min-K % with log-probabilities standardised over the vocabulary at their position (Zhang et al. 2025, eq. 3)."""
    z = (own.log_prob.astype(np.float64) - own.mean) / np.maximum(own.deviation.astype(np.float64), TINY)
    return _lowest(own, z, k)


def recall(own: TokenAnswers, prefixed: TokenAnswers) -> PerModel:
    """Loss after a prefix of non-members divided by the loss without it (ReCaLL, Xie et al. 2024, eq. 2): the prefix
    raises a member's loss more."""
    return np.asarray(prefixed.average(prefixed.log_prob) / np.minimum(own.average(own.log_prob), -TINY))


def lower_cased(own: TokenAnswers, lower: TokenAnswers) -> PerModel:
    """By how much the loss per token increases when the text is lower-cased (Carlini et al. 2021, section 5.1.3)."""
    return np.asarray(own.average(own.log_prob) - lower.average(lower.log_prob))


def likelihood_ratio(own: TokenAnswers, base: TokenAnswers) -> PerModel:
    """Loss per token of the base minus that of the model (Mireshghallah et al. 2022)."""
    return np.asarray(own.average(own.log_prob) - base.average(base.log_prob))


def error_zone(own: TokenAnswers, base: TokenAnswers) -> PerModel:
    """log of the ratio of upward to downward shifts of log p relative to the base, at tokens where the model itself
    would have chosen another token (EZ-MIA, arXiv 2601.12104). A sequence without such a token is scored on all of its
    tokens, because the model has memorised it."""
    shift = own.log_prob.astype(np.float64) - _one(base).log_prob.astype(np.float64)
    wrong = own.rank > 0
    any_wrong = np.logical_or.reduceat(wrong, own.start[:-1], axis=1)
    used = np.where(any_wrong[:, own.sequence], wrong, True)
    up = own.total(np.where(used, np.maximum(shift, 0), 0.0))
    down = own.total(np.where(used, np.maximum(-shift, 0), 0.0))
    return np.asarray(np.log(up + TINY) - np.log(down + TINY))


def window_comparison(own: TokenAnswers, base: TokenAnswers, widths: Sequence[int] = WIDTHS) -> PerModel:
    """The share of windows in which the model's loss is below the base's, averaged over window widths (WBC, arXiv
    2601.02751). A sequence shorter than a width is one window."""
    shift = own.log_prob.astype(np.float64) - _one(base).log_prob.astype(np.float64)
    before = np.concatenate([np.zeros((len(shift), 1)), np.cumsum(shift, axis=1)], axis=1)
    left, end = np.arange(shift.shape[1]), own.start[1:][own.sequence]
    votes = np.zeros((len(shift), len(own.counts)))
    for width in widths:
        right = np.minimum(left + width, end)
        whole = (right - left == width) | (left == own.start[:-1][own.sequence])
        won = (before[:, right] - before[:, left] > 0) & whole
        windows = np.add.reduceat(whole.astype(np.int64), own.start[:-1])
        votes += np.add.reduceat(won.astype(np.float64), own.start[:-1], axis=1) / windows
    return np.asarray(votes / len(widths))


def _lowest(own: TokenAnswers, values: Float[np.ndarray, "models tokens"], k: float) -> PerModel:
    if not 0 < k <= 1:
        raise EvidenceError(f"Expected 0 < k={k} <= 1.")
    found = np.empty((len(own), len(own.counts)))
    for i, (first, last) in enumerate(zip(own.start[:-1], own.start[1:], strict=True)):
        few = max(1, int(k * (last - first)))
        found[:, i] = np.partition(values[:, first:last], few - 1, axis=1)[:, :few].mean(axis=1)
    return found


def _one(base: TokenAnswers) -> TokenAnswers:
    if len(base) != 1:
        raise EvidenceError(f"base must hold one model, got {len(base)}.")
    return base
