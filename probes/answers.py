"""What models answer about samples, as arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Shaped

from probes.errors import EvidenceError, NonFiniteError
from probes.large_arrays import IN_MEMORY, TAKEN, empty, taken
from probes.sequences import TokenAnswers

NUMBERS = 1 << 19
"""Logits from which answers are computed at a time, in float64."""
LEAST = 1e-290
"""A sum of exponentials below which float64 has lost digits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What models answer about every sample, label included.

    log_prob          log p of the label, in nats
    margin            φ = log p_y − log(1 − p_y) = logit_y − logsumexp(other logits), in nats
    entropy           of the prediction, in nats
    modified_entropy  −(1 − p_y) log p_y − Σ_{i≠y} p_i log(1 − p_i), in nats (Song & Mittal 2021, eq. 7)
    confidence        the largest softmax probability, in [0, 1]
    predicted         the class of that probability
    query_margin      φ under further queries (flips, shifts); None, the default, where none were asked
    query_correct     whether the label is predicted under them: all that a label-only attacker sees

    `answers` makes them of logits.

    >>> found = answers(np.zeros((1, 2, 2)), np.array([0, 1]))
    >>> found.confidence.tolist(), found.margin.tolist()
    ([[0.5, 0.5]], [[0.0, 0.0]])
    """

    log_prob: Float[np.ndarray, "models samples"]
    margin: Float[np.ndarray, "models samples"]
    entropy: Float[np.ndarray, "models samples"]
    modified_entropy: Float[np.ndarray, "models samples"]
    confidence: Float[np.ndarray, "models samples"]
    predicted: Int[np.ndarray, "models samples"]
    query_margin: Float[np.ndarray, "models queries samples"] | None = None
    query_correct: Bool[np.ndarray, "models queries samples"] | None = None

    def __len__(self) -> int:
        return int(self.log_prob.shape[0])

    def __getitem__(self, models: Int[np.ndarray, " chosen"] | Bool[np.ndarray, " models"]) -> Answers:
        return self.each(lambda array: taken(array, models))

    def on(self, samples: Int[np.ndarray, " chosen"]) -> Answers:
        """The same models' answers on some of the samples."""
        return self.each(lambda array: taken(array, samples, axis=-1))

    def each(self, change: Callable[[Shaped[np.ndarray, "models ..."]], Shaped[np.ndarray, "chosen ..."]]) -> Answers:
        """What `change` makes of every array: models are the first axis, samples the last."""
        held = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        arrays: dict[str, Any] = {name: None if array is None else change(array) for name, array in held.items()}
        return Answers(**arrays)

    def correct(self, labels: Int[np.ndarray, " samples"]) -> Bool[np.ndarray, "models samples"]:
        return np.asarray(np.equal(self.predicted, labels, out=empty(self.predicted.shape, np.bool_)))


def log_softmax(logits: Float[np.ndarray, "*axes classes"]) -> Float64[np.ndarray, "*axes classes"]:
    """Log probabilities in float64 for any input type, because float32 rounds the confident tail, where members are.

    logits  float, finite

    Returns log probabilities, in nats.
    """
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=-1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(axis=-1, keepdims=True)))


def logit_margin(
    logits: Float[np.ndarray, "*axes samples classes"], labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, "*axes samples"]:
    """φ = log p_y − log(1 − p_y), stably as logit_y − logsumexp(other logits) (Carlini et al. 2022, eq. 4).

    logits  float, finite, of at least 2 classes
    labels  the true class of each sample, from 0

    Returns nats, one per sample. Raises EvidenceError if labels do not fit the logits, NonFiniteError if logits are NaN
    or infinite.

    >>> logit_margin(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 0])).tolist()
    [2.0, -1.0]
    """
    _check(logits, labels)
    return _margin(*_exponentials(logits), labels)


def _check(logits: Float[np.ndarray, "*axes answered classes"], labels: Int[np.ndarray, " samples"]) -> None:
    """Raises EvidenceError, NonFiniteError."""
    if logits.shape[-2] != labels.shape[0]:
        raise EvidenceError(f"labels has {labels.shape[0]} samples, logits has {logits.shape[-2]}.")
    classes = logits.shape[-1]
    if classes < 2:
        raise EvidenceError(f"logits needs at least 2 classes, got {classes}.")
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise EvidenceError(f"labels must be in 0..{classes - 1}, got {labels.min()}..{labels.max()}.")
    if not np.isfinite(logits).all():
        raise NonFiniteError("logits holds NaN or infinite values.", do="Train with a lower learning rate.")


def _exponentials(
    logits: Float[np.ndarray, "*axes samples classes"],
) -> tuple[Float64[np.ndarray, "*axes classes samples"], Float64[np.ndarray, "*axes classes samples"]]:
    """Logits minus each sample's largest, and the exponentials of these differences. The classes are not the last axis,
    because numpy reduces short last axes ten times as slowly."""
    shifted = np.ascontiguousarray(np.swapaxes(logits, -1, -2), dtype=np.float64)
    shifted = shifted - shifted.max(axis=-2, keepdims=True)
    return shifted, np.exp(shifted)


def _margin(
    shifted: Float64[np.ndarray, "*axes classes samples"],
    exponentials: Float64[np.ndarray, "*axes classes samples"],
    labels: Int[np.ndarray, " samples"],
) -> Float64[np.ndarray, "*axes samples"]:
    index = np.broadcast_to(labels, (*shifted.shape[:-2], 1, len(labels)))
    own = np.take_along_axis(shifted, index, axis=-2)[..., 0, :]
    others = exponentials.copy()
    np.put_along_axis(others, index, 0.0, axis=-2)
    rest = others.sum(axis=-2)
    margin = own - np.log(np.maximum(rest, LEAST))
    if (far := rest < LEAST).any():  # the other classes' exponentials vanish beside the label's
        few = np.swapaxes(shifted, -1, -2)[far]
        few[np.arange(len(few)), np.broadcast_to(labels, far.shape)[far]] = -np.inf
        top = few.max(axis=-1)
        margin[far] = own[far] - top - np.log(np.exp(few - top[:, None]).sum(axis=-1))
    return np.asarray(margin)


def answers(
    logits: Float[np.ndarray, "models samples classes"],
    labels: Int[np.ndarray, " samples"],
    queries: Float[np.ndarray, "models queries samples classes"] | None = None,
) -> Answers:
    """Everything that probes need from the logits, computed in float64 and stored in float32, some samples at a time.

    logits   of every model, float and finite
    labels   the true class of each sample, from 0
    queries  logits under further queries; None, the default, if there were none

    Returns the answers. Raises EvidenceError if labels do not fit the logits, NonFiniteError if logits are NaN or
    infinite.
    """
    if logits.shape[-2] != len(labels):
        raise EvidenceError(f"labels has {len(labels)} samples, logits has {logits.shape[-2]}.")
    n = len(labels)
    step = max(1, NUMBERS // max(1, math.prod(logits.shape) // max(1, n)))
    arrays: dict[str, Any] = {}
    for start in range(0, max(1, n), step):
        some = slice(start, start + step)
        found = _answers(logits[:, some], labels[some], None if queries is None else queries[:, :, some])
        for name in (one.name for one in dataclasses.fields(Answers)):
            if (part := getattr(found, name)) is not None:
                if not start:
                    arrays[name] = empty((*part.shape[:-1], n), part.dtype, in_memory=IN_MEMORY // TAKEN)
                arrays[name][..., some] = part
    return Answers(**arrays)


def _answers(
    logits: Float[np.ndarray, "models samples classes"],
    labels: Int[np.ndarray, " samples"],
    queries: Float[np.ndarray, "models queries samples classes"] | None,
) -> Answers:
    _check(logits, labels)
    shifted, exponentials = _exponentials(logits)
    margin = _margin(shifted, exponentials, labels)
    total = exponentials.sum(axis=-2, keepdims=True)
    p, log_p = exponentials / total, shifted - np.log(total)
    own = np.broadcast_to(labels, (*p.shape[:-2], 1, len(labels)))
    log_own = np.take_along_axis(log_p, own, axis=-2)[..., 0, :]
    log_rest = np.log1p(-np.minimum(p, 1 - 1e-15))
    others = p * log_rest
    np.put_along_axis(others, own, 0.0, axis=-2)
    # 1 − p_y from the margin: exact even if p_y rounds to one.
    rest_own = 1 / (1 + np.exp(np.clip(margin, -700, 700)))
    narrow = np.float32
    return Answers(
        log_prob=log_own.astype(narrow),
        margin=margin.astype(narrow),
        entropy=(-(p * log_p).sum(axis=-2)).astype(narrow),
        modified_entropy=(-rest_own * log_own - others.sum(axis=-2)).astype(narrow),
        confidence=p.max(axis=-2).astype(narrow),
        predicted=logits.argmax(axis=-1).astype(np.int32),
        query_margin=None if queries is None else logit_margin(queries, labels).astype(narrow),
        query_correct=None if queries is None else queries.argmax(axis=-1) == labels,
    )


def answers_of_tokens(tokens: TokenAnswers) -> Answers:
    """Sequences in the form of single samples: p is the geometric mean of the answer tokens' probabilities, so that
    `log_prob` is minus the loss in nats per token; a sequence counts as correct (class 0) if greedy decoding gives all
    of it, else as class 1, and modified entropy is that of these two classes."""
    log_p = np.minimum(tokens.average(tokens.log_prob), -1e-12)
    rest = np.log(-np.expm1(log_p))
    entropy = -tokens.average(tokens.mean)
    narrow = np.float32
    return Answers(
        log_prob=log_p.astype(narrow),
        margin=(log_p - rest).astype(narrow),
        entropy=entropy.astype(narrow),
        modified_entropy=(-2 * np.exp(rest) * log_p).astype(narrow),
        confidence=np.exp(tokens.average(tokens.top)).astype(narrow),
        predicted=np.where(tokens.greedy, 0, 1).astype(np.int32),
    )
