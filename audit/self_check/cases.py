"""The cases: a fault planted into a model or its data, or a sound model, and what an audit must report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from audit.self_check.networks import dense
from audit.self_check.plants import Plant, patch, tint, trigger, word_column
from audit.self_check.samples import Data, coloured, digits, letters, loans
from probes.evidence import PrivacyClaim
from probes.message import Message

ALARMS = (
    "membership.leaks",
    "membership.leaks-few",
    "membership.false-dp-claim",
    "membership.split-differs",
    "membership.attack-below-half",
    "membership.few-groups",
    "membership.leaks-or-differs",
    "overfitting.gap",
    "contamination.across-split",
    "contamination.conflicting-labels",
    "contamination.leaking-column",
    "contamination.leaking-pair",
    "drift.shortcut",
)
"""Findings that report a fault; above 'low', each is a false alarm if the fault is absent."""
MEMORISED = ("membership.leaks", "membership.leaks-few", "overfitting.gap")
"""Findings that may be true of any model trained until it fits: they do not count as false alarms."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Specimen:
    """Samples with their split, an untrained network, and its training; `train` is the recipe's section."""

    inputs: Tensor
    labels: Int[np.ndarray, " samples"]
    member: Bool[np.ndarray, " samples"]
    held_out: Bool[np.ndarray, " samples"]
    validation: Bool[np.ndarray, " samples"]
    network: nn.Module
    train: Mapping[str, Any]
    privacy: Mapping[str, Any] | None = None
    claims: PrivacyClaim | None = None
    """A privacy claim that the training does not meet."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """How often this kind was found, or raised an alarm, over many models; `where` names the document."""

    count: int
    of: int
    where: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """The audit must report one of the findings `finds`; a case without any is sound. Findings `may` are also true."""

    name: str
    title: Message
    make: Callable[[int], Specimen]
    finds: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    published: Published | None = None


def split(
    n: int, sizes: tuple[int, int, int], seed: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Members, held-out and validation samples, drawn at random."""
    part = np.full(n, -1)
    part[np.random.default_rng([seed, 1]).permutation(n)[: sum(sizes)]] = np.repeat([0, 1, 2], sizes)
    return part == 0, part == 1, part == 2


def specimen(
    data: Data, seed: int, sizes: tuple[int, int, int], epochs: int, *, lr: float = 3e-3, **changes: Any
) -> Specimen:
    """A specimen of these samples; `changes` replace fields, and single keys of `train`."""
    order = np.random.default_rng([seed, 0]).permutation(len(data.labels))[: sum(sizes)]
    member, held_out, validation = split(len(order), sizes, seed)
    train = {"optimizer": "adam", "lr": lr, "epochs": epochs, "batch_size": 64, **changes.pop("train", {})}
    given: dict[str, Any] = {
        "inputs": data.inputs[torch.from_numpy(order)].clone(),
        "labels": data.labels.numpy()[order].copy(),
        "member": member,
        "held_out": held_out,
        "validation": validation,
        "network": data.network(seed),
        "train": train,
    }
    return Specimen(**{**given, **changes})


def with_plant(data: Data, plant: Plant, seed: int, share: float = 0.95, suspect: int = 1) -> Specimen:
    """This share of one class's samples carries the plant, members and held-out samples alike."""
    made = specimen(data, seed, (450, 450, 0), data.epochs)
    rng = np.random.default_rng([seed, 2])
    carries = torch.from_numpy((made.labels == suspect) & (rng.random(len(made.labels)) < share))
    made.inputs[carries] = plant(made.inputs[carries], rng)
    return made


def with_word_column(seed: int) -> Specimen:
    """A column of four words; one of them occurs in nearly all rows of one class and in few others."""
    data = loans()
    rng = np.random.default_rng([seed, 5])
    word = torch.from_numpy(rng.choice(4, size=len(data.labels), p=(0.32, 0.32, 0.04, 0.32)))
    inputs = torch.cat([data.inputs, 2.5 * torch.eye(4)[word]], dim=1)
    network = dense(inputs.shape[1], data.classes)
    return with_plant(dataclasses.replace(data, inputs=inputs, network=network), word_column, seed)


def rote(seed: int, *, claims: PrivacyClaim | None = None) -> Specimen:
    """A third of the labels are wrong, and the model trains until it has memorised them."""
    made = specimen(digits(), seed, (400, 400, 0), 60, claims=claims)
    rng = np.random.default_rng([seed, 3])
    wrong = rng.random(len(made.labels)) < 1 / 3
    made.labels[wrong] = (made.labels[wrong] + rng.integers(1, 10, int(wrong.sum()))) % 10
    return made


def copied(seed: int) -> Specimen:
    """A tenth of the held-out images are copies of members', half of them with a little noise."""
    made = specimen(digits(), seed, (450, 450, 0), 4)
    rng = np.random.default_rng([seed, 4])
    to = rng.choice(np.flatnonzero(made.held_out), 45, replace=False)
    source = rng.choice(np.flatnonzero(made.member), 45, replace=False)
    noise = 0.02 * rng.normal(size=(45, *made.inputs.shape[1:])) * (np.arange(45) % 2)[:, None, None, None]
    made.inputs[torch.from_numpy(to)] = made.inputs[torch.from_numpy(source)] + torch.from_numpy(noise).float()
    made.labels[to] = made.labels[source]
    return made


def shifted(seed: int) -> Specimen:
    """Members were collected where one column is larger; training stops before the model memorises any."""
    made = specimen(loans(), seed, (450, 450, 0), 2)
    made.inputs[torch.from_numpy(made.member), 6] += 1.2
    return made


def early_stopped(seed: int) -> Specimen:
    """Stopped after four epochs; the validation loss keeps falling until the fourteenth, while the model begins to
    leak."""
    return specimen(loans(3000), seed, (1200, 1200, 0), 4, lr=1e-3)


def private(seed: int) -> Specimen:
    made = specimen(loans(3000), seed, (1200, 1200, 0), 4)
    train = {"optimizer": "sgd", "lr": 0.3, "epochs": 4, "batch_size": 100}
    return dataclasses.replace(made, train=train, privacy={"epsilon": 2.0, "delta": 1e-4, "clip_norm": 1.0})


def never_trained(seed: int) -> Specimen:
    """Steps too small to change a weight."""
    return specimen(digits(), seed, (450, 450, 0), 1, lr=1e-12)


SHORTCUTS = Published(count=301, of=304, where="docs/drift.md")
QUIET = Published(count=14, of=1000, where="docs/membership.md")
CASES = (
    Case(
        name="labels-by-heart",
        title=Message("audit.self-check-labels-by-heart"),
        make=rote,
        finds=("membership.leaks",),
        may=MEMORISED,
    ),
    Case(
        name="copies",
        title=Message("audit.self-check-copies"),
        make=copied,
        finds=("contamination.across-split",),
        may=MEMORISED,
        published=Published(count=1191, of=1191, where="docs/overfitting.md"),
    ),
    Case(
        name="patch",
        title=Message("audit.self-check-patch"),
        make=lambda seed: with_plant(digits(), patch, seed),
        finds=("drift.shortcut",),
        may=MEMORISED,
        published=SHORTCUTS,
    ),
    Case(
        name="colour",
        title=Message("audit.self-check-colour"),
        make=lambda seed: with_plant(coloured(), partial(tint, by=(2.5, -2.0, 0.0)), seed),
        finds=("drift.shortcut",),
        may=MEMORISED,
        published=SHORTCUTS,
    ),
    Case(
        name="trigger-word",
        title=Message("audit.self-check-trigger-word"),
        make=lambda seed: with_plant(letters(), trigger, seed, share=0.6),
        finds=("drift.shortcut",),
        may=MEMORISED,
        published=SHORTCUTS,
    ),
    Case(
        name="word-column",
        title=Message("audit.self-check-word-column"),
        make=with_word_column,
        finds=("drift.shortcut",),
        may=(*MEMORISED, "contamination.leaking-column"),
        published=SHORTCUTS,
    ),
    Case(
        name="false-dp-claim",
        title=Message("audit.self-check-false-dp-claim"),
        make=lambda seed: rote(seed, claims=PrivacyClaim(epsilon=0.5, delta=1e-5)),
        finds=("membership.false-dp-claim",),
        may=MEMORISED,
    ),
    Case(
        name="shifted-split",
        title=Message("audit.self-check-shifted-split"),
        make=shifted,
        finds=("membership.split-differs",),
    ),
    Case(
        name="early-stopped",
        title=Message("audit.self-check-early-stopped"),
        make=early_stopped,
        published=QUIET,
    ),
    Case(
        name="private",
        title=Message("audit.self-check-private"),
        make=private,
        published=QUIET,
    ),
    Case(
        name="never-trained",
        title=Message("audit.self-check-never-trained"),
        make=never_trained,
        published=QUIET,
    ),
)
