"""Attacks on language models: additions to the ladder for sequences. They return None if the target has no
sequences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from probes.membership import sequence_scores as scores
from probes.membership.target import Target

Scores = Float64[np.ndarray, " samples"]


def zlib_ratio(target: Target) -> Scores | None:
    """Mean log-probability per token divided by the size of the answer compressed by zlib (Carlini et al. 2021).

    target  the token probabilities of the model, and the answers' text

    Returns a score for each sample, higher for members; None if samples are not sequences.

    >>> from probes.membership.example import reached
    >>> reached(zlib_ratio)
    1.0
    """
    if target.sequences is None:
        return None
    compressed = scores.compressed_bytes(target.sequences.answers)
    return np.asarray(scores.zlib_ratio(target.sequences.own, compressed)[0])


def min_k(target: Target) -> Scores | None:
    """Min-K %: the mean log-probability of the least likely fifth of the tokens (Shi et al. 2024).

    target  the token probabilities of the model

    Returns a score for each sample, higher for members, in nats; None if samples are not sequences.

    >>> from probes.membership.example import reached
    >>> reached(min_k)
    0.96
    """
    return _scored(target, scores.min_k)


def min_k_plus_plus(target: Target) -> Scores | None:
    """Min-K %++: Min-K % with log-probabilities standardised over the vocabulary (Zhang et al. 2025).

    target  the token probabilities of the model, with their mean and deviation over the vocabulary

    Returns a score for each sample, higher for members; None if samples are not sequences.

    >>> from probes.membership.example import reached
    >>> reached(min_k_plus_plus)
    0.96
    """
    return _scored(target, scores.min_k_plus_plus)


def recall(target: Target) -> Scores | None:
    """ReCaLL: the loss after a prefix of non-members divided by the loss without it (Xie et al. 2024).

    target  the token probabilities of the model with the prefix and without

    Returns a score for each sample, higher for members; None if no prefix was put before the sequences.

    >>> from probes.membership.example import reached
    >>> reached(recall)
    0.59
    """
    return _scored(target, scores.recall, "prefixed")


def lower_cased(target: Target) -> Scores | None:
    """Mean log-probability per token minus that of the lower-cased answer (Carlini et al. 2021).

    target  the token probabilities of the model for the answer and the lower-cased answer

    Returns a score for each sample, higher for members, in nats; None if answers were not lower-cased.

    >>> from probes.membership.example import reached
    >>> reached(lower_cased)
    1.0
    """
    return _scored(target, scores.lower_cased, "lower")


def likelihood_ratio(target: Target) -> Scores | None:
    """Mean log-probability per token minus the base model's (Mireshghallah et al. 2022).

    target  the token probabilities of the model and of its base

    Returns a score for each sample, higher for members, in nats; None without the base model.

    >>> from probes.membership.example import reached
    >>> reached(likelihood_ratio)
    1.0
    """
    return _scored(target, scores.likelihood_ratio, "base")


def error_zone(target: Target) -> Scores | None:
    """EZ-MIA: the ratio of gains to losses relative to the base model at tokens where the model's most likely token is
    wrong (arXiv 2601.12104).

    target  the token probabilities of the model and of its base, and where its most likely token is wrong

    Returns a score for each sample, higher for members; None without the base model.

    >>> from probes.membership.example import reached
    >>> reached(error_zone)
    1.0
    """
    return _scored(target, scores.error_zone, "base")


def window_comparison(target: Target) -> Scores | None:
    """WBC: the share of windows of tokens in which the model beats its base (arXiv 2601.02751).

    target  the token probabilities of the model and of its base

    Returns a score for each sample, higher for members, in [0, 1]; None without the base model.

    >>> from probes.membership.example import reached
    >>> reached(window_comparison)
    1.0
    """
    return _scored(target, scores.window_comparison, "base")


def _scored(target: Target, score: Callable[..., Float64[np.ndarray, "models samples"]], *others: str) -> Scores | None:
    """By the model's own answers and these others about the same samples; None where one of them is lacking."""
    told = [getattr(target.sequences, name, None) for name in ("own", *others)]
    return None if any(one is None for one in told) else np.asarray(score(*told)[0])
