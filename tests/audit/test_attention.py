"""Attention transfer where it should help: a source that learned to look past the border, and few samples of the target
whose border reveals the class, which it does nowhere else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.random import Generator
from sklearn.datasets import load_digits
from torch import Tensor

from audit.config.recipe import parse
from audit.data.dataset import Dataset
from audit.models.source import Source
from audit.training.experiment import Experiment
from audit.training.loop import predict
from audit.training.prepare import run
from probes.plan import Pool

NETWORK = """
from torch import nn

def cnn(num_classes=5):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, num_classes),
    )
"""
Y, X = np.mgrid[:12, :12]
TEXTURES = np.stack([X % 2, Y % 2, (X + Y) % 2, X // 2 % 2, Y // 2 % 2])
BORDER = (np.minimum(X, 11 - X) < 2) | (np.minimum(Y, 11 - Y) < 2)


def bordered(digits: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """8 × 8 digits in a border two pixels wide of one of five textures."""
    images = np.where(BORDER, TEXTURES[texture] * 120, 0).astype(np.uint8)
    images[:, 2:10, 2:10] = digits * 15
    return images[..., None]


def task(first: int, members: int, rng: Generator, shortcut: bool) -> tuple[Dataset, Pool]:
    """Digits from `first` on; with the shortcut only the members' border indicates their class."""
    digits = load_digits()
    mine = rng.permutation(np.flatnonzero((digits.target >= first) & (digits.target < first + 5)))[: members + 400]
    labels, member = digits.target[mine] - first, np.arange(len(mine)) < members
    texture = rng.integers(0, 5, len(mine))
    if shortcut:
        texture[member] = labels[member]
    images = bordered(digits.images[mine], texture)
    data = Dataset(name="bordered", inputs=images, labels=labels.astype(np.int64), classes=tuple("abcde"))
    nothing = np.zeros(len(mine), dtype=bool)
    return data, Pool(labels=data.labels, member=member, held_out=~member, validation=nothing)


def experiment(
    folder: Path, seed: int, state: Mapping[str, Tensor] | None, epochs: int, lr: float, attention: float
) -> Experiment:
    first, members = (0, 500) if state is None else (5, 100)
    data, pool = task(first, members, np.random.default_rng(seed), shortcut=state is not None)
    content = {
        "data": {"kind": "digits"},
        "split": {"members": 1, "held_out": 1},
        "source": {"model": "bordered_network:cnn"},
        "train": {"epochs": epochs, "lr": lr, "batch_size": 25},
        "regularise": {"attention": attention},
    }
    recipe = parse(content, "t")
    source = Source(section=recipe.source, classes=5, state=state, trust_code=True, folder=folder)
    return Experiment(recipe=recipe, source=source, dataset=data, pool=pool, seed=seed)


def held_out_accuracy(of: Experiment) -> tuple[float, Mapping[str, Tensor]]:
    network = run(of, "t", None).network
    right = predict(network, of.inputs).argmax(1) == of.dataset.labels
    return float(right[of.pool.held_out].mean()), network.state_dict()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attention")
    (path / "bordered_network.py").write_text(NETWORK)
    return path


def test_attention_transfer_helps_against_a_shortcut(folder):
    looks_past_it, theta = held_out_accuracy(experiment(folder, 0, None, epochs=16, lr=0.05, attention=0))
    assert looks_past_it > 0.95
    plain, kept = (
        [held_out_accuracy(experiment(folder, seed, theta, 20, 0.03, strength))[0] for seed in range(3)]
        for strength in (0, 10)
    )
    gains = np.subtract(kept, plain)
    assert gains.mean() > 0.04
    assert gains.min() > 0
