"""Attacks on language models: what the ladder adds where samples are sequences. None where the target has none."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from probes.membership import sequence_scores as scores
from probes.membership.target import Target

Scores = Float64[np.ndarray, " samples"]


def zlib_ratio(target: Target) -> Scores | None:
    """Loss over zlib entropy (Carlini et al. 2021)."""
    if target.sequences is None:
        return None
    compressed = scores.compressed_bytes(target.sequences.answers)
    return np.asarray(scores.zlib_ratio(target.sequences.own, compressed)[0])


def min_k(target: Target) -> Scores | None:
    """Min-K % (Shi et al. 2024)."""
    return None if target.sequences is None else np.asarray(scores.min_k(target.sequences.own)[0])


def min_k_plus_plus(target: Target) -> Scores | None:
    """Min-K %++ (Zhang et al. 2025)."""
    return None if target.sequences is None else np.asarray(scores.min_k_plus_plus(target.sequences.own)[0])


def recall(target: Target) -> Scores | None:
    """ReCaLL (Xie et al. 2024)."""
    if target.sequences is None or target.sequences.prefixed is None:
        return None
    return np.asarray(scores.recall(target.sequences.own, target.sequences.prefixed)[0])


def lower_cased(target: Target) -> Scores | None:
    """Lower-casing (Carlini et al. 2021)."""
    if target.sequences is None or target.sequences.lower is None:
        return None
    return np.asarray(scores.lower_cased(target.sequences.own, target.sequences.lower)[0])


def likelihood_ratio(target: Target) -> Scores | None:
    """Likelihood ratio against the base model (Mireshghallah et al. 2022)."""
    if target.sequences is None or target.sequences.base is None:
        return None
    return np.asarray(scores.likelihood_ratio(target.sequences.own, target.sequences.base)[0])


def error_zone(target: Target) -> Scores | None:
    """EZ-MIA against the base model (arXiv 2601.12104)."""
    if target.sequences is None or target.sequences.base is None:
        return None
    return np.asarray(scores.error_zone(target.sequences.own, target.sequences.base)[0])


def window_comparison(target: Target) -> Scores | None:
    """WBC against the base model (arXiv 2601.02751)."""
    if target.sequences is None or target.sequences.base is None:
        return None
    return np.asarray(scores.window_comparison(target.sequences.own, target.sequences.base)[0])


SEQUENCE_ATTACKS = (
    "zlib",
    "min-k",
    "min-k-plus-plus",
    "recall",
    "lower-case",
    "likelihood-ratio",
    "error-zone",
    "window-comparison",
)
"""Their names, from free to strong."""
