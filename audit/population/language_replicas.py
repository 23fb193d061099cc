"""Replicas of a fine-tuned language model: trained (adapters many at once), evaluated on all sequences, and kept."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from audit.engines.adapters import affordable, train_adapters
from audit.evidence.sequence_answers import KEPT, sequence_answers
from audit.runtime.randomness import stream
from audit.storage.store import Store
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from audit.trainers.lora import load_adapter, with_adapters
from probes.errors import TrainerError
from probes.message import Message, Text
from probes.plan import Row
from probes.sequences import TokenAnswers

MEMORY = 2 << 30
"""Bytes that replicas trained at once may use."""
Progress = Callable[[int, int, int], None]
"""(replicas done, number of these from the store, replicas in total)"""


def language_replicas(
    task: LanguageTask,
    rows: Sequence[Row],
    seed: int,
    *,
    store: Store | None = None,
    memory: int = MEMORY,
    on_replica: Progress = lambda done, cached, total: None,
) -> list[TokenAnswers]:
    """The answers of each row's replica to `task.queries(row)`, in the order of rows; those in the `store` are not
    trained again.

    Raises NonFiniteError, RecipeError, StoreError.
    """
    found: dict[int, TokenAnswers] = {}
    missing, cached = [], 0
    for group in groups(task, rows, memory):
        keys = [key_of(task, rows, place, group, seed) for place in group]
        kept = [None if store is None else _stored(store, key) for key in keys]
        if any(one is None for one in kept):
            missing.append((group, keys))
            continue
        found |= {place: one for place, one in zip(group, kept, strict=True) if one is not None}
    cached = len(found)
    on_replica(cached, cached, len(rows))
    adapter = task.adapter
    network = with_adapters(task.base, adapter, [0]) if adapter is not None and together(task) else None
    for group, keys in missing:
        for place, key, answers in zip(group, keys, _trained(task, rows, group, seed, network), strict=True):
            if store is not None:
                store.write(key, {name: torch.from_numpy(getattr(answers, name)) for name in (*KEPT, "start")})
            found[place] = answers
            on_replica(len(found), cached, len(rows))
    if task.trainer is not None:
        must_depend_on_samples(found, rows, task.trainer.trainer.name)
    return [found[place] for place in range(len(rows))]


def groups(task: LanguageTask, rows: Sequence[Row], memory: int) -> Iterator[list[int]]:
    """The indices of rows that are trained together: of one training size, as many as fit. They must not depend on the
    content of the store, because they determine the last bits."""
    at_once = 1
    if task.training is not None and together(task):
        at_once = affordable(task.base, task.inputs, task.training, memory)
    sizes = [int(row.keep.sum()) for row in rows]
    in_order = sorted(range(len(rows)), key=lambda place: -sizes[place])
    for _, alike in itertools.groupby(in_order, key=lambda place: sizes[place]):
        listed = list(alike)
        yield from (listed[first : first + at_once] for first in range(0, len(listed), at_once))


def together(task: LanguageTask) -> bool:
    """Whether replicas can be trained many at once: adapters can, but not where noise makes them private, or where
    packing leaves them different numbers of steps."""
    training = task.training
    return (
        training is not None and training.adapter is not None and training.privacy is None and training.packing is None
    )


def seed_of(row: Row, seed: int) -> int:
    return int(stream(seed, "language", row.order, row.name).integers(2**31))


def key_of(task: LanguageTask, rows: Sequence[Row], place: int, group: Sequence[int], seed: int) -> str:
    """The key of a replica in the store: the task, its row, and the rows it is trained together with."""
    digest = hashlib.sha256(f"{task.digest} {rows[place].name}".encode())
    if (queries := task.queries(rows[place])) is not task.inputs:
        digest.update(queries.tobytes())
    for other in [place, *group]:
        digest.update(f" {seed_of(rows[other], seed)} ".encode() + np.packbits(rows[other].keep).tobytes())
    return digest.hexdigest()


def _stored(store: Store, key: str) -> TokenAnswers | None:
    tensors = store.read(key, again="it is trained again", needs=(*KEPT, "start"))
    return None if tensors is None else TokenAnswers(**{name: tensors[name].numpy() for name in (*KEPT, "start")})


def _trained(
    task: LanguageTask, rows: Sequence[Row], group: Sequence[int], seed: int, network: nn.Module | None
) -> Iterator[TokenAnswers]:
    """`network` takes each adapter in turn; None if replicas are trained one after another."""
    mine = [rows[place] for place in group]
    seeds = [seed_of(row, seed) for row in mine]
    if task.trainer is not None:
        device = str(next(task.base.parameters()).device)
        for row, own in zip(mine, seeds, strict=True):
            yield task.trainer.answers(row, own, task.queries(row), device)
        return
    assert task.training is not None
    if network is None:
        for row, own in zip(mine, seeds, strict=True):
            made = fine_tune(task.base, task.inputs, row.keep, task.training, own)
            yield sequence_answers(made, task.queries(row))
        return
    keep = np.array([row.keep for row in mine])
    states = train_adapters(task.base, task.inputs, keep, task.training, seeds)
    for row, state in zip(mine, states, strict=True):
        load_adapter(network, state)
        yield sequence_answers(network.eval(), task.queries(row))


def must_depend_on_samples(found: Mapping[int, TokenAnswers], rows: Sequence[Row], who: str) -> None:
    """Raises TrainerError if replicas of different samples answer alike to the bit: then these decided nothing."""
    seen: dict[bytes, Row] = {}
    for place, answers in found.items():
        other = seen.setdefault(answers.log_prob.tobytes(), rows[place])
        if not np.array_equal(other.keep, rows[place].keep):
            raise TrainerError(
                f"replicas {other.name} and {rows[place].name} were trained on different samples and answer alike to "
                "the bit: your code trains on nothing, or not on fit.kept.",
                where=who,
                do="Train on the rows at fit.kept, and return that model.",
            )


def nondeterminism(task: LanguageTask, row: Row, known: TokenAnswers, seed: int, store: Store | None) -> Text | None:
    """Has the user's trainer make the row once more: None if that answers the same, else by how much it does not.
    Kept in the store."""
    assert task.trainer is not None
    key = hashlib.sha256(f"{key_of(task, [row], 0, [0], seed)} again".encode()).hexdigest()
    again = None if store is None else _stored(store, key)
    if again is None:
        (again,) = _trained(task, [row], [0], seed, None)
        if store is not None:
            store.write(key, {name: torch.from_numpy(getattr(again, name)) for name in (*KEPT, "start")})
    off = float(np.abs(again.on(np.arange(len(task.inputs))).log_prob - known.log_prob).max())
    if not off:
        return None
    return Message("audit.language-trainer-differs", {"trainer": task.trainer.trainer.name, "most": off})


def stacked(found: Sequence[TokenAnswers]) -> TokenAnswers:
    """Separate models as one population."""
    return TokenAnswers(
        start=found[0].start, **{name: np.concatenate([getattr(one, name) for one in found]) for name in KEPT}
    )
