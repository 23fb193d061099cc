"""Samples from scikit-learn or generated: images, a table and texts, as models take them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from audit.self_check.networks import bag, convolutional, dense


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Inputs as a model takes them."""

    name: str
    modality: str
    inputs: Tensor
    labels: Tensor
    network: Callable[[int], nn.Sequential]
    epochs: int = 15

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


@cache
def digits() -> Data:
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float()[:, None] / 8 - 1
    images = images + 0.5 * torch.from_numpy(np.random.default_rng(4).normal(size=images.shape)).float()
    return Data(name="digits", modality="image", inputs=images, labels=torch.from_numpy(bunch.target).long(),
                network=convolutional(1, 8, 10))  # fmt: skip


@cache
def coloured() -> Data:
    """Five digits at 24 × 24, in random colours on backgrounds of random colours and noise: natural variation in what
    the plants change."""
    bunch = load_digits(n_class=5)
    rng = np.random.default_rng(5)
    n = len(bunch.target)
    shape = functional.interpolate(torch.from_numpy(bunch.images).float()[:, None] / 16, size=24, mode="bilinear")
    own, behind = (torch.from_numpy(rng.uniform(*span, size=(n, 3, 1, 1))).float() for span in ((0.4, 1.0), (0.0, 0.5)))
    images = shape * own + (1 - shape) * behind + 0.2 * torch.from_numpy(rng.normal(size=(n, 3, 24, 24))).float()
    return Data(name="coloured", modality="image", inputs=(images - 0.4) / 0.3,
                labels=torch.from_numpy(bunch.target).long(), network=convolutional(3, 24, 5))  # fmt: skip


def standardised(table: Float[np.ndarray, "samples columns"]) -> Float[Tensor, "samples columns"]:
    return torch.from_numpy((table - table.mean(axis=0)) / np.maximum(table.std(axis=0), 1e-9)).float()


@cache
def loans(count: int = 900) -> Data:
    """Generated: four numbers and a categorical column with five values predict the label with noise; four numbers are
    irrelevant."""
    rng = np.random.default_rng(7)
    numbers, word = rng.normal(size=(count, 8)), rng.integers(5, size=count)
    score = numbers[:, :4] @ np.array([1.0, -0.8, 0.7, 0.9]) + np.array([-1, -0.5, 0, 0.5, 1])[word]
    labels = (score + 2.0 * rng.normal(size=count) > 0).astype(np.int64)
    table = np.concatenate([numbers, np.eye(5)[word]], axis=1)
    return Data(name="loans", modality="table", inputs=standardised(table), labels=torch.from_numpy(labels),
                network=dense(13, 2), epochs=20)  # fmt: skip


TOKENS, LENGTH = 300, 30


def drawn_texts(name: str, seed: int, *, classes: int, lengths: tuple[int, int], own: int, share: float) -> Data:
    """900 texts of `lengths` words (a half-open range); a `share` of the words is from the `own` words that a class
    prefers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=900)
    texts = np.zeros((900, LENGTH), dtype=np.int64)
    for text, label in zip(texts, labels, strict=True):
        length = rng.integers(*lengths)
        preferred = rng.integers(10 + own * label, 10 + own * (label + 1), size=length)
        text[:length] = np.where(rng.random(length) < share, preferred, rng.integers(10, TOKENS - 10, size=length))
    return Data(name=name, modality="text", inputs=torch.from_numpy(texts), labels=torch.from_numpy(labels),
                network=bag(TOKENS, LENGTH, classes), epochs=25)  # fmt: skip


@cache
def letters() -> Data:
    """Generated texts of 8 to 26 words; each class prefers its own 25 words."""
    return drawn_texts("letters", 8, classes=3, lengths=(8, 27), own=25, share=0.12)
