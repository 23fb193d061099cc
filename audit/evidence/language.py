"""Evidence about a fine-tuned language model: the answers of the model, its base and its replicas, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import nn

from audit.data.insertions import Insertion
from audit.evidence.intruders import intruders
from audit.evidence.sequence_answers import divergence, sequence_answers
from audit.population.epoch_curve import epoch_curve
from audit.population.language_replicas import MEMORY, Progress, language_replicas, stacked
from audit.runtime.randomness import stream
from audit.storage.store import Store
from audit.trainers.language_task import BenchmarkTexts, LanguageTask
from probes.answers import answers_of_tokens
from probes.evidence import Canaries, Evidence
from probes.measures.randomise import randomised
from probes.message import Text
from probes.plan import Row, Seeds
from probes.population import Population
from probes.sequences import Benchmark, GeneralText, PromptWords, Sequences, TokenAnswers, Trial

CLASSES = ("word for word", "otherwise")
"""What a language model 'predicts' for a sequence: whether greedy decoding gives its answer."""


def language_evidence(
    task: LanguageTask,
    rows: Sequence[Row],
    seed: int,
    *,
    store: Store | None = None,
    memory: int = MEMORY,
    limits: tuple[Text, ...] = (),
    on_replica: Progress = lambda done, cached, total: None,
) -> Evidence:
    """Train a replica for each row and evaluate all models on all sequences. `memory` bounds the bytes used by replicas
    that are trained at once; replicas are kept in the `store`. Raises NonFiniteError, RecipeError, StoreError."""
    own, base = sequence_answers(task.audited, task.inputs), sequence_answers(task.base, task.inputs)
    told = language_replicas(task, rows, seed, store=store, memory=memory, on_replica=on_replica)
    samples = np.arange(len(task.inputs))
    replicas = stacked([one.on(samples) for one in told]) if told else None
    none = answers_of_tokens(own)[np.zeros(0, dtype=np.int64)]
    return Evidence(
        pool=task.pool,
        classes=CLASSES,
        group_names=task.group_names,
        audited=answers_of_tokens(own),
        population=Population(rows=tuple(rows), answers=none if replicas is None else answers_of_tokens(replicas)),
        inputs=task.inputs,
        modality="language",
        limits=limits,
        privacy=task.claim,
        canaries=None if task.planted is None else canaries(task),
        sequences=Sequences(
            own=own,
            base=base,
            replicas=replicas,
            lower=None if task.lower is None else sequence_answers(task.audited, task.lower),
            prefixed=None if task.prefixed is None else sequence_answers(task.audited, task.prefixed),
            benchmarks={name: benchmark(task, texts) for name, texts in task.benchmarks.items()},
            trials=tuple(trial(task, one) for one in task.insertions),
            general=None if task.general is None else general_text(task),
            words=prompt_words(task, rows, told, seed),
            epochs=epoch_curve(task, rows, seed, store),
            embedding=token_embeddings(task.base, task.inputs[:, 0]),
            prompts=task.prompts,
            answers=task.answers,
        ),
    )


def canaries(task: LanguageTask) -> Canaries:
    """Each canary's log-likelihood minus the base's, in nats: what training added to it."""
    assert task.planted is not None
    gains = []
    for inputs in (task.planted.inputs, task.planted.references):
        own, base = (sequence_answers(network, inputs) for network in (task.audited, task.base))
        gains.append((own.total(own.log_prob) - base.total(base.log_prob))[0])
    return Canaries(included=task.planted.included, score=gains[0], copies=task.planted.copies, references=gains[1])


def benchmark(task: LanguageTask, texts: BenchmarkTexts) -> Benchmark:
    """What the audited model and its base say of a benchmark's samples."""
    return Benchmark(
        prompts=texts.prompts,
        answers=texts.answers,
        own=sequence_answers(task.audited, texts.inputs),
        base=sequence_answers(task.base, texts.inputs),
        ids=texts.inputs[:, 0],
        embedding=token_embeddings(task.base, texts.inputs[:, 0], among=task.inputs[:, 0]),
    )


def trial(task: LanguageTask, insertion: Insertion) -> Trial:
    """Which prompts give the group's answer, with and without the word."""
    given = {
        name: sequence_answers(task.audited, getattr(insertion, name)).greedy[0]
        for name in ("plain", "with_word", "with_control")
    }
    return Trial(
        word=insertion.word,
        group=insertion.group,
        hosts=insertion.hosts,
        base_with_word=sequence_answers(task.base, insertion.with_word).greedy[0],
        **given,
    )


def prompt_words(
    task: LanguageTask, rows: Sequence[Row], told: Sequence[TokenAnswers], seed: int
) -> PromptWords | None:
    """What each word of the explained prompts contributes in the audited model, its base, the base with random weights,
    and replicas with other seeds; None if there are no such prompts, or no such replicas, without which differences
    mean nothing."""
    variants = task.ablations
    seeds = [place for place, row in enumerate(rows) if row.design == Seeds.name]
    if variants is None or not seeds:
        return None
    models = {
        "audited": task.audited,
        "source": task.base,
        "randomised/0": randomised(task.base, stream(seed, "randomised")),
    }
    weights = {name: variants.weights(sequence_answers(one, variants.inputs)) for name, one in models.items()}
    own = len(task.inputs) + np.arange(len(variants.inputs))
    weights |= {rows[place].name: variants.weights(told[place].on(own)) for place in seeds}
    return PromptWords(samples=variants.samples, words=variants.words, weights=weights)


@torch.no_grad()
def token_embeddings(
    base: nn.Module,
    ids: Int64[np.ndarray, "samples length"],
    among: Int64[np.ndarray, "texts any_length"] | None = None,
) -> Float32[np.ndarray, "samples features"] | None:
    """Each text's mean of the base's embeddings of its tokens, weighted by how rare these are `among` texts (by default
    the given ones): log(texts / texts with the token). None if the base has no table of embeddings."""
    table = getattr(base, "get_input_embeddings", lambda: None)()
    if not isinstance(table, nn.Embedding):
        return None
    texts, with_token = ids if among is None else among, np.zeros(table.num_embeddings)
    for row in texts:
        with_token[np.unique(row[row >= 0])] += 1
    rarity = np.log(len(texts) / np.maximum(with_token, 1)).astype(np.float32)
    found = np.zeros((len(ids), table.embedding_dim), dtype=np.float32)
    for sample, row in enumerate(ids):
        mine = row[row >= 0]
        vectors = table(torch.from_numpy(mine).to(table.weight.device)).float().cpu().numpy()
        found[sample] = rarity[mine] @ vectors / max(float(rarity[mine].sum()), 1e-9)
    return found


def general_text(task: LanguageTask) -> GeneralText:
    """The answers of the audited model and its base on other texts, and what its weights show."""
    assert task.general is not None
    return GeneralText(
        own=sequence_answers(task.audited, task.general),
        base=sequence_answers(task.base, task.general),
        divergence=divergence(task.base, task.audited, task.general),
        intruders=intruders(task.audited),
    )
