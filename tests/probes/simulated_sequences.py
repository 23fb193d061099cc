"""A population of language models whose answers are drawn, not computed: what they know of what they trained on is
given."""

from __future__ import annotations

import numpy as np

from probes.answers import answers_of_tokens
from probes.evidence import Evidence
from probes.plan import Pool, Sizes, Splits
from probes.population import Population
from probes.sequences import EpochAnswers, Sequences, TokenAnswers

LENGTH = 8


def told(loss: np.ndarray, rng: np.random.Generator) -> TokenAnswers:
    """One model with about this loss in nats per token on each sequence; the more likely a token, the more often it is
    the most likely."""
    n = len(loss)
    log_p = -np.abs(loss[:, None] * rng.uniform(0.5, 1.5, (n, LENGTH)))
    rank = np.where(rng.random((n, LENGTH)) < np.exp(log_p), 0, 1 + rng.integers(0, 5, (n, LENGTH)))
    flat = log_p.reshape(1, -1).astype(np.float32)
    return TokenAnswers(
        start=np.arange(0, n * LENGTH + 1, LENGTH),
        log_prob=flat,
        top=np.maximum(flat, -0.3),
        mean=np.full_like(flat, -1.0),
        deviation=np.full_like(flat, 1.0),
        rank=rank.reshape(1, -1).astype(np.int32),
    )


def evidence(
    gap: float,
    *,
    gain: float = 0.5,
    n: int = 80,
    repeats: int = 3,
    prompts: tuple[str, ...] | None = None,
    answers: tuple[str, ...] | None = None,
    learns: float = 0.0,
    rises: float | None = None,
    seed: int = 0,
) -> Evidence:
    """Models lose `gap` nats per token less on what they trained on than on the rest, and `gain` less than their base
    there. Where `learns` is positive, replicas of a quarter and five eighths of the size lose that many nats more for
    each halving of the size. With `rises`, a fold is asked after four epochs: its loss on new samples falls by 0.3, and
    then rises by so much."""
    rng = np.random.default_rng(seed)
    member = np.isin(np.arange(n), rng.permutation(n)[: n // 2])
    pool = Pool(labels=np.zeros(n, dtype=np.int64), member=member, held_out=~member, validation=np.zeros(n, bool))
    rows = list(Splits(repeats=repeats).rows(pool, rng))
    rows += list(Sizes(shares=(0.25, 0.625), repeats=2).rows(pool, rng)) if learns else []
    hard = rng.uniform(1.0, 2.0, n) + gap

    def model(keep: np.ndarray) -> TokenAnswers:
        return told(hard - gap * keep + learns * np.log2(n / 2 / keep.sum()), rng)

    own, each = model(member), [model(row.keep) for row in rows]
    epochs = None
    if rises is not None:
        course = np.array([0.3, 0.0, rises / 2, rises])
        new = hard + course[:, None] + rng.normal(0, 0.05, (4, n))
        keep = rows[0].keep
        loss = np.where(keep, new - gap, new)
        epochs = EpochAnswers(epoch=np.array([1, 2, 4, 6]), kept=keep, loss=loss, right=np.exp(-loss))
    names = ("log_prob", "top", "mean", "deviation", "rank")
    replicas = TokenAnswers(
        start=own.start, **{name: np.concatenate([getattr(one, name) for one in each]) for name in names}
    )
    return Evidence(
        pool=pool,
        classes=("word for word", "otherwise"),
        audited=answers_of_tokens(own),
        population=Population(rows=tuple(rows), answers=answers_of_tokens(replicas)),
        inputs=rng.integers(0, 30, (n, 2, LENGTH)),
        modality="language",
        sequences=Sequences(
            own=own,
            base=told(hard + gain, rng),
            replicas=replicas,
            epochs=epochs,
            prompts=prompts or tuple(f"prompt {i}" for i in range(n)),
            answers=answers or tuple(f"answer {i}" for i in range(n)),
        ),
    )
