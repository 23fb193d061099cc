"""What language models answer about sequences: arrays over the tokens of all answers, laid end to end.

Prompts are read and not scored. Everything a probe asks of a sequence follows from these arrays: attacks, extraction,
perplexity and greedy accuracy; logits of a vocabulary are never kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64

from probes.errors import EvidenceError, NonFiniteError
from probes.evidence import Answers


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenAnswers:
    """Per model and answer token, in nats: `start[i]:start[i + 1]` are the tokens of sequence i.

    log_prob   log p of the token that stands there
    top        log p of the likeliest token
    mean       E log p over the vocabulary under p, which is minus the entropy
    deviation  the standard deviation of log p over the vocabulary under p
    rank       how many tokens are likelier than the one that stands there; 0: greedy decoding gives it

    Raises EvidenceError where a sequence has no answer token, NonFiniteError on NaN or infinite numbers.
    """

    start: Int64[np.ndarray, " ends"]
    log_prob: Float32[np.ndarray, "models tokens"]
    top: Float32[np.ndarray, "models tokens"]
    mean: Float32[np.ndarray, "models tokens"]
    deviation: Float32[np.ndarray, "models tokens"]
    rank: Int32[np.ndarray, "models tokens"]

    def __post_init__(self) -> None:
        if self.start[0] != 0 or self.start[-1] != self.log_prob.shape[1]:
            raise EvidenceError(f"start must run from 0 to {self.log_prob.shape[1]} tokens.")
        if (short := np.flatnonzero(np.diff(self.start) < 1)).size:
            raise EvidenceError(f"sequence {int(short[0])} has no answer token.")
        for name in ("log_prob", "top", "mean", "deviation"):
            if not np.isfinite(getattr(self, name)).all():
                raise NonFiniteError(f"{name} holds NaN or infinite values.")

    def __len__(self) -> int:
        return int(self.log_prob.shape[0])

    @cached_property
    def counts(self) -> Int64[np.ndarray, " sequences"]:
        """Answer tokens of each sequence."""
        return np.diff(self.start)

    @cached_property
    def sequence(self) -> Int64[np.ndarray, " tokens"]:
        """The sequence each token belongs to."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def __getitem__(self, models: Int[np.ndarray, " chosen"] | Bool[np.ndarray, " models"]) -> TokenAnswers:
        return TokenAnswers(
            start=self.start,
            log_prob=self.log_prob[models],
            top=self.top[models],
            mean=self.mean[models],
            deviation=self.deviation[models],
            rank=self.rank[models],
        )

    def on(self, sequences: Int[np.ndarray, " chosen"]) -> TokenAnswers:
        """The same models' answers about some of the sequences, in the order asked."""
        counts = self.counts[sequences]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        tokens = np.repeat(self.start[:-1][sequences], counts) + within
        return TokenAnswers(
            start=np.concatenate([[0], np.cumsum(counts)]),
            log_prob=self.log_prob[:, tokens],
            top=self.top[:, tokens],
            mean=self.mean[:, tokens],
            deviation=self.deviation[:, tokens],
            rank=self.rank[:, tokens],
        )

    def total(self, values: Float[np.ndarray, "models tokens"]) -> Float64[np.ndarray, "models sequences"]:
        """Sums over each sequence's tokens, in float64."""
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.start[:-1], axis=1))

    def average(self, values: Float[np.ndarray, "models tokens"]) -> Float64[np.ndarray, "models sequences"]:
        """Means over each sequence's tokens, in float64."""
        return np.asarray(self.total(values) / self.counts)

    @cached_property
    def greedy(self) -> Bool[np.ndarray, "models sequences"]:
        """Whether greedy decoding from the prompt gives the whole answer word for word: each token is the likeliest one
        after the tokens before it, which are then those that greedy decoding has chosen."""
        return np.asarray(np.maximum.reduceat(self.rank, self.start[:-1], axis=1) == 0)


def token_answers(
    logits: Float[np.ndarray, "tokens vocabulary"],
    tokens: Int[np.ndarray, " tokens"],
    start: Int[np.ndarray, " ends"],
) -> TokenAnswers:
    """One model's answers from its logits at every answer position: the slow, obvious reference of what a forward pass
    reduces to.

    >>> found = token_answers(np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), np.array([1, 2]), np.array([0, 1, 2]))
    >>> found.rank.tolist(), found.greedy.tolist()
    ([[1, 0]], [[False, True]])
    """
    wide = logits.astype(np.float64)
    wide = wide - wide.max(axis=1, keepdims=True)
    log_p = wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    own = np.take_along_axis(log_p, tokens[:, None], axis=1)
    mean = (p * log_p).sum(axis=1)
    deviation = np.sqrt(np.maximum((p * log_p**2).sum(axis=1) - mean**2, 0))
    narrow = np.float32
    return TokenAnswers(
        start=np.asarray(start, dtype=np.int64),
        log_prob=own.T.astype(narrow),
        top=log_p.max(axis=1)[None].astype(narrow),
        mean=mean[None].astype(narrow),
        deviation=deviation[None].astype(narrow),
        rank=(log_p > own).sum(axis=1)[None].astype(np.int32),
    )


def as_answers(tokens: TokenAnswers) -> Answers:
    """Sequences as probes of single samples see them: p is the geometric mean of the answer tokens' probabilities, so
    that `log_prob` is minus the loss in nats a token; a sequence counts as correct (class 0) where greedy decoding
    gives all of it, else as class 1."""
    log_p = np.minimum(tokens.average(tokens.log_prob), -1e-12)
    rest = np.log(-np.expm1(log_p))
    entropy = -tokens.average(tokens.mean)
    narrow = np.float32
    return Answers(
        log_prob=log_p.astype(narrow),
        margin=(log_p - rest).astype(narrow),
        entropy=entropy.astype(narrow),
        modified_entropy=(-np.exp(rest) * log_p - np.exp(log_p) * rest).astype(narrow),
        confidence=np.exp(tokens.average(tokens.top)).astype(narrow),
        predicted=np.where(tokens.greedy, 0, 1).astype(np.int32),
    )
