"""Evidence about a fine-tuned language model: its replicas are trained and asked, and nothing but arrays goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64
from torch import nn

from audit.engines.adapters import affordable, train_adapters
from audit.evidence.sequence_answers import sequence_answers
from audit.randomness import stream
from audit.trainers.causal_lm import LanguageTraining, fine_tune, load_adapter, with_adapters
from probes import evidence as core
from probes.evidence import Evidence, Population
from probes.plan import Pool, Row
from probes.sequences import Sequences, TokenAnswers

CLASSES = ("word for word", "otherwise")
"""What a language model 'predicts' of a sequence: whether greedy decoding gives its answer."""
MEMORY = 2 << 30
"""Bytes that replicas trained at once may take."""

Progress = Callable[[int, int], None]
"""(replicas done, replicas in all)"""


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageTask:
    """A language model before and after fine-tuning, how it was fine-tuned, and on what.

    `base` and `audited` are in eval mode. `lower` and `prefixed` are the same answers lower-cased, and after a prefix
    of non-members, as token ids; each may be missing.
    """

    base: nn.Module
    audited: nn.Module
    training: LanguageTraining
    inputs: Int64[np.ndarray, "samples 2 length"]
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    pool: Pool
    lower: Int64[np.ndarray, "samples 2 other_length"] | None = None
    prefixed: Int64[np.ndarray, "samples 2 third_length"] | None = None


def language_evidence(
    task: LanguageTask,
    rows: Sequence[Row],
    seed: int,
    *,
    memory: int = MEMORY,
    on_replica: Progress = lambda done, total: None,
) -> Evidence:
    """Train a replica for each row and ask all models about all sequences. `memory` bounds what replicas that are
    trained at once take, in bytes. Raises NonFiniteError, RecipeError."""
    own, base = sequence_answers(task.audited, task.inputs), sequence_answers(task.base, task.inputs)
    found = []
    for answered in asked(task, rows, seed, memory):
        found.append(answered)
        on_replica(len(found), len(rows))
    replicas = stacked(found) if found else None
    none = core.sequence_answers(own)[np.zeros(0, dtype=np.int64)]
    return Evidence(
        pool=task.pool,
        classes=CLASSES,
        audited=core.sequence_answers(own),
        population=Population(rows=tuple(rows), answers=none if replicas is None else core.sequence_answers(replicas)),
        inputs=task.inputs,
        modality="language",
        sequences=Sequences(
            own=own,
            base=base,
            replicas=replicas,
            lower=None if task.lower is None else sequence_answers(task.audited, task.lower),
            prefixed=None if task.prefixed is None else sequence_answers(task.audited, task.prefixed),
            prompts=task.prompts,
            answers=task.answers,
        ),
    )


def asked(task: LanguageTask, rows: Sequence[Row], seed: int, memory: int) -> Iterator[TokenAnswers]:
    """What each row's replica answers, in the order of rows. Adapters are trained many at once."""
    seeds = [int(stream(seed, "language", row.order, row.name).integers(2**31)) for row in rows]
    if task.training.adapter is None:
        for row, own in zip(rows, seeds, strict=True):
            yield sequence_answers(fine_tune(task.base, task.inputs, row.keep, task.training, own), task.inputs)
        return
    at_once = affordable(task.base, task.inputs, task.training, memory)
    pairs = list(zip(rows, seeds, strict=True))
    for _, alike in itertools.groupby(pairs, key=lambda pair: int(pair[0].keep.sum())):
        listed = list(alike)
        for first in range(0, len(listed), at_once):
            some = listed[first : first + at_once]
            keep = np.array([row.keep for row, _ in some])
            network = with_adapters(task.base, task.training.adapter, [0])
            for state in train_adapters(task.base, task.inputs, keep, task.training, [own for _, own in some]):
                load_adapter(network, state)
                yield sequence_answers(network.eval(), task.inputs)


def stacked(found: Sequence[TokenAnswers]) -> TokenAnswers:
    """Models of their own as one population."""
    names = ("log_prob", "top", "mean", "deviation", "rank")
    return TokenAnswers(
        start=found[0].start, **{name: np.concatenate([getattr(one, name) for one in found]) for name in names}
    )
