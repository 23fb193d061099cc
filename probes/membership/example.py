"""A simulated model that leaks, ready in milliseconds, on which attacks can be tried, including third parties' own."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

from probes.answers import answers
from probes.membership.target import Target, folds
from probes.sequences import Sequences, TokenAnswers, token_answers
from probes.statistics.roc import auc

SAMPLES, REPLICAS, TOKENS, VOCABULARY = 200, 32, 6, 8


def example_target(leak: float = 2.0, seed: int = 0) -> tuple[Target, Bool[np.ndarray, " samples"]]:
    """Everything that an attack may use, and which samples are members: 100 of 200.

    leak  how much higher a model's margin (nats, at least 0) is on samples it trained on; the standard deviation
          between samples is 1 nat, and between models 1 nat
    seed  seed of the simulation

    >>> target, member = example_target()
    >>> target.keep.shape, int(member.sum())
    ((32, 200), 100)
    """
    rng = np.random.default_rng(seed)
    member = np.arange(SAMPLES) % 2 == 0
    fold = rng.permuted(np.tile(np.arange(SAMPLES) % 2 == 0, (REPLICAS // 2, 1)), axis=1)
    keep = np.stack([fold, ~fold], axis=1).reshape(REPLICAS, SAMPLES)
    labels = np.ones(SAMPLES, dtype=np.int64)
    hard = rng.normal(size=SAMPLES)
    trained = np.vstack([member, keep])
    margin = 1 - hard + leak * trained + rng.normal(size=trained.shape)
    asked = margin[:, None] + 0.3 * rng.normal(size=(len(margin), 3, SAMPLES))
    models = answers(_two_classes(margin), labels, _two_classes(asked))
    z = 1 / (1 + np.exp(-(1 - rng.normal(size=(len(margin), SAMPLES)))))
    target = Target(
        labels=labels,
        answers=models[np.array([0])],
        replicas=models[np.arange(1, len(margin))],
        keep=keep,
        z=z[0],
        z_replicas=z[1:],
        order=np.repeat(np.arange(REPLICAS // 2), 2),
        features=np.stack([hard, rng.normal(size=SAMPLES)], axis=1),
        gradient_norm=np.exp(-margin[0]),
        folds=folds(member, rng),
        sequences=_sequences(leak * member, rng),
    )
    return target, member


def reached(attack: object, leak: float = 2.0) -> float:
    """The AUC that an attack (a function of one Target) reaches on the example, to two digits; 0.5 is no better than
    guessing.

    Raises ValueError if the attack gives no scores.

    >>> reached(lambda target: target.answers.margin[0]) > 0.5
    True
    """
    target, member = example_target(leak)
    scores = attack(target) if callable(attack) else None
    if scores is None:
        raise ValueError(f"{attack!r} gives no scores.")
    return round(auc(np.asarray(scores, dtype=np.float64), member).value, 2)


def _two_classes(margin: Float64[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes 2"]:
    return np.stack([np.zeros_like(margin), margin], axis=-1)


def _sequences(leak: Float64[np.ndarray, " samples"], rng: np.random.Generator) -> Sequences:
    """Sequences of six tokens each; the model has learnt its members' tokens, its base has not."""
    tokens = rng.integers(VOCABULARY, size=SAMPLES * TOKENS)
    logits = rng.normal(size=(len(tokens), VOCABULARY))
    learnt = logits.copy()
    learnt[np.arange(len(tokens)), tokens] += np.repeat(leak, TOKENS)

    def said(by: Float64[np.ndarray, "tokens vocabulary"]) -> TokenAnswers:
        return token_answers(by, tokens, np.arange(0, len(tokens) + 1, TOKENS))

    return Sequences(
        own=said(learnt),
        base=said(logits),
        lower=said(logits + 0.1 * rng.normal(size=logits.shape)),
        prefixed=said(learnt + 0.5 * rng.normal(size=logits.shape)),
        prompts=("",) * SAMPLES,
        answers=tuple("".join(chr(97 + token) for token in row) for row in tokens.reshape(-1, TOKENS)),
    )
