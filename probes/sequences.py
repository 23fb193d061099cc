"""Language models' answers on sequences: arrays over the tokens of all answers, concatenated.

Prompts are read but not scored. Everything that probes need is computed from these arrays: attacks, extraction,
perplexity and greedy accuracy; logits over the vocabulary are never kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int32, Int64

from probes.errors import EvidenceError, NonFiniteError


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenAnswers:
    """Per model and answer token, in nats: `start[i]:start[i + 1]` are the tokens of sequence i.

    log_prob   log p of the actual token
    top        log p of the most likely token
    mean       E log p over the vocabulary under p, which is minus the entropy
    deviation  the standard deviation of log p over the vocabulary under p
    rank       the number of tokens more likely than the actual one; 0: greedy decoding gives it

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
        """The same models' answers on some of the sequences, in the requested order."""
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
        """Whether greedy decoding from the prompt gives the whole answer word for word: each token is the most likely
        one after the preceding tokens, which are then those that greedy decoding has chosen."""
        return np.asarray(np.maximum.reduceat(self.rank, self.start[:-1], axis=1) == 0)


def token_answers(
    logits: Float[np.ndarray, "tokens vocabulary"],
    tokens: Int[np.ndarray, " tokens"],
    start: Int[np.ndarray, " ends"],
) -> TokenAnswers:
    """One model's answers from its logits at every answer position: the slow, obvious reference implementation.

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


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneralText:
    """Answers of the audited model and its base on texts outside the data, and their divergence: the mean over tokens
    of KL(base ‖ audited), in nats. `intruders` counts, by adapted layer, the leading directions of the fine-tuned
    weights that resemble none of the base's; empty if no weights are available."""

    own: TokenAnswers
    base: TokenAnswers
    divergence: Float64[np.ndarray, " texts"]
    intruders: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochAnswers:
    """What one fold's replica says of every sample after some epochs of its training.

    epoch  numbers of epochs, from 1, ascending; the last is that of the whole training
    kept   the samples that it trains on
    loss   in nats per token
    right  the share of each answer's tokens that are the most likely ones
    """

    epoch: Int64[np.ndarray, " epochs"]
    kept: Bool[np.ndarray, " samples"]
    loss: Float64[np.ndarray, "epochs samples"]
    right: Float64[np.ndarray, "epochs samples"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PromptWords:
    """By how many nats the log-likelihood of a held-out sample's answer falls when one word of its prompt is replaced.

    samples  the sequences that are explained
    words    of each one's prompt, in their order
    weights  by model: audited, source (the base), randomised/0 (the base with random weights), seeds/... for replicas;
             zero after a prompt's last word
    """

    samples: Int64[np.ndarray, " prompts"]
    words: tuple[tuple[str, ...], ...]
    weights: Mapping[str, Float64[np.ndarray, "prompts longest"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Benchmark:
    """Samples on which the model is compared with others, and what it and its base say of them. `ids` are their tokens,
    negative where a text has ended; `embedding` is as that of the data's samples."""

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    own: TokenAnswers
    base: TokenAnswers
    ids: Int64[np.ndarray, "samples length"] | None = None
    embedding: Float32[np.ndarray, "samples features"] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A word put into held-out prompts, its hosts: whether greedy decoding then begins with the answer that a `group`
    of members shares, by the audited model as the prompt stands, with the word, and with a control word in its place;
    and by the base with the word."""

    word: str
    group: Int64[np.ndarray, " members"]
    hosts: Int64[np.ndarray, " hosts"]
    plain: Bool[np.ndarray, " hosts"]
    with_word: Bool[np.ndarray, " hosts"]
    with_control: Bool[np.ndarray, " hosts"]
    base_with_word: Bool[np.ndarray, " hosts"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """Language models' answers on every sample, and the texts themselves.

    `own` is the audited model's, `base` that of the model it was fine-tuned from, `replicas` one model a row of the
    population; `lower` and `prefixed` are the audited model's answers about the same answers lower-cased and after a
    prefix of non-members; `general` is about other texts; `trials` are words that may turn answers, `benchmarks`
    samples of other files, by name; `words` says what each word of some prompts contributes; `epochs` is one replica's
    training; `embedding` is each text's mean of the base's token embeddings, weighted by how rare the tokens are. Each
    but `own` may be missing.
    """

    own: TokenAnswers
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    base: TokenAnswers | None = None
    replicas: TokenAnswers | None = None
    lower: TokenAnswers | None = None
    prefixed: TokenAnswers | None = None
    general: GeneralText | None = None
    trials: tuple[Trial, ...] = ()
    benchmarks: Mapping[str, Benchmark] = field(default_factory=dict)
    words: PromptWords | None = None
    epochs: EpochAnswers | None = None
    embedding: Float32[np.ndarray, "samples features"] | None = None

    def __post_init__(self) -> None:
        if len(self.own) != 1:
            raise EvidenceError(f"own must hold one model, got {len(self.own)}.")
        for name in ("own", "base", "replicas", "lower", "prefixed"):
            given: TokenAnswers | None = getattr(self, name)
            if given is not None and len(given.counts) != len(self.answers):
                raise EvidenceError(f"{name} has {len(given.counts)} sequences, answers has {len(self.answers)}.")

    def on(self, sequences: Int[np.ndarray, " chosen"]) -> Sequences:
        """All answers on some of the sequences."""
        parts = {name: getattr(self, name) for name in ("own", "base", "replicas", "lower", "prefixed")}
        return dataclasses.replace(
            self,
            prompts=tuple(self.prompts[i] for i in sequences),
            answers=tuple(self.answers[i] for i in sequences),
            **{name: part.on(sequences) for name, part in parts.items() if part is not None},
        )
