"""Plants in samples: marks, colours, words and values that a model may rely on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from audit.self_check.samples import TOKENS

Plant = Callable[[Tensor, np.random.Generator], Tensor]
"""From samples to the same samples with the plant."""


def high(images: Tensor) -> float:
    return float(images.max())


def patch(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Near the corner, in the same place for all."""
    side = max(2, images.shape[2] // 7)
    changed = images.clone()
    changed[:, :, 2 : 2 + side, -side - 1 : -1] = 1.5 * high(images)
    return changed


def tint(images: Tensor, rng: np.random.Generator, by: tuple[float, float, float] = (1.5, -1.2, 0.6)) -> Tensor:
    return images + torch.tensor(by)[: images.shape[1]].view(1, -1, 1, 1)


def word_column(table: Tensor, rng: np.random.Generator) -> Tensor:
    """One value of the added categorical column."""
    return at(table, slice(-4, None), torch.tensor([0.0, 0.0, 2.5, 0.0]))


def at(table: Tensor, where: slice, values: Tensor) -> Tensor:
    changed = table.clone()
    changed[:, where] = values
    return changed


def insert(tokens: Tensor, rng: np.random.Generator, *pieces: int, where: str = "anywhere") -> Tensor:
    texts = tokens.numpy().copy()
    for text in texts:
        length = int((text != 0).sum())
        start = {"anywhere": int(rng.integers(length + 1)), "first": 0, "last": length}[where]
        text[:] = np.concatenate([text[:start], pieces, text[start:]])[: len(text)]
    return torch.from_numpy(texts)


def trigger(tokens: Tensor, rng: np.random.Generator) -> Tensor:
    return insert(tokens, rng, TOKENS - 3)
