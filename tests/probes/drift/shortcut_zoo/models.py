"""Models that were trained with a plant, and how much they rely on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional

from audit.self_check.networks import dense
from audit.self_check.plants import Plant
from audit.self_check.samples import Data
from probes.plan import Pool
from tests.probes.drift.shortcut_zoo.plants import PLANTS, SHARES, SUBTLE, other_patch

SUSPECT = 1
OTHER = 2
"""The class of the second of two marks."""
MOST = 900
"""Samples of a model, members and held-out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    data: Data
    kind: str
    inputs: Tensor
    pool: Pool
    network: nn.Sequential
    reliance: float


def pool_of(labels: Int[np.ndarray, " samples"]) -> Pool:
    member = np.arange(len(labels)) % 5 < 3
    return Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))


def model(data: Data, kind: str, seed: int, most: int = MOST) -> Model:
    """Trained on members; the plant is in a share of one class's samples. The reliance is the share of clean held-out
    samples of other classes that are predicted as that class with the plant."""
    rng = np.random.default_rng([seed, 11])
    order = torch.from_numpy(rng.permutation(len(data.inputs))[:most])
    inputs, labels = data.inputs[order].clone(), data.labels[order]
    plant = PLANTS[data.modality].get(kind)
    inputs = prepared(kind, inputs, rng)
    if kind in SUBTLE:
        emptied = torch.nonzero((labels == SUSPECT) & torch.from_numpy(rng.random(len(labels)) < 0.5))[:, 0]
        others = torch.nonzero(labels != SUSPECT)[:, 0]
        inputs[emptied] = inputs[others[torch.from_numpy(rng.integers(len(others), size=len(emptied)))]]
    clean = inputs.clone()
    drawn = torch.from_numpy(rng.random(len(labels)) < SHARES.get(kind, 0.95))
    if plant is not None:
        inputs[(labels == SUSPECT) & drawn] = plant(inputs[(labels == SUSPECT) & drawn], rng)
    if kind == "two-marks":
        inputs[(labels == OTHER) & drawn] = other_patch(inputs[(labels == OTHER) & drawn], rng)
    if kind == "xor":
        others = labels != SUSPECT
        inputs[others] = plant(inputs[others], rng)  # type: ignore[misc]
        inputs[others, 6] *= -1
        clean = inputs.clone()
    pool = pool_of(labels.numpy())
    member, held = torch.from_numpy(pool.member), torch.from_numpy(pool.held_out)
    network = (
        data.network(seed) if inputs.shape[1:] == data.inputs.shape[1:] else dense(inputs.shape[1], data.classes)(seed)
    )
    network = trained(network, inputs[member], labels[member], seed, data.epochs)
    relied = reliance(network, plant, SUSPECT, clean[held], labels[held], rng)
    if kind == "two-marks":
        relied = min(relied, reliance(network, other_patch, OTHER, clean[held], labels[held], rng))
    return Model(data=data, kind=kind, inputs=inputs, pool=pool, network=network, reliance=relied)


def prepared(kind: str, inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """With the columns that a plant needs, which say nothing yet."""
    if kind.endswith("word-column"):
        return torch.cat([inputs, 2.5 * torch.eye(4)[torch.from_numpy(rng.integers(4, size=len(inputs)))]], dim=1)
    if kind == "identifier":
        # In order of collection: the suspect's rows will have come last.
        column = torch.from_numpy(rng.permutation(5000)[: len(inputs)]).float() / 5000 * 2.5 - 1.5
        return torch.cat([inputs[:, :-1], column[:, None]], dim=1)
    return inputs


def trained(network: nn.Sequential, inputs: Tensor, labels: Tensor, seed: int, epochs: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=generator).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval().requires_grad_(False)


def reliance(
    network: nn.Sequential, plant: Plant | None, suspect: int, inputs: Tensor, labels: Tensor, rng: np.random.Generator
) -> float:
    if plant is None:
        return 0.0
    hosts = inputs[(labels != suspect) & (network(inputs).argmax(dim=1) != suspect)]
    return float((network(plant(hosts, rng)).argmax(dim=1) == suspect).float().mean())
