"""Small networks for the samples of the self-check."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def convolutional(channels: int, side: int, classes: int) -> Callable[[int], nn.Sequential]:
    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(channels, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24 * (side // 4) ** 2, 32), nn.ReLU(), nn.Linear(32,
            classes), )  # fmt: skip

    return made


def dense(columns: int, classes: int) -> Callable[[int], nn.Sequential]:
    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(columns, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, classes))

    return made


class Bag(nn.Module):
    """Mean and maximum of token vectors with their positions; padding (0) is ignored."""

    def __init__(self, tokens: int, width: int, length: int) -> None:
        super().__init__()
        self.table = nn.Embedding(tokens, width, padding_idx=0)
        self.place = nn.Parameter(0.1 * torch.randn(length, width))
        self.mix = nn.Linear(width, width)

    def reset_parameters(self) -> None:
        """Initialises its own parameters; its layers initialise theirs."""
        nn.init.normal_(self.place, std=0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        word = (tokens != 0)[:, :, None].float()
        vectors = torch.relu(self.mix(self.table(tokens) + self.place)) * word
        mean = vectors.sum(dim=1) / word.sum(dim=1).clamp(min=1)
        return torch.cat([mean, vectors.max(dim=1).values, word.mean(dim=1)], dim=1)


def bag(tokens: int, length: int, classes: int) -> Callable[[int], nn.Sequential]:
    def made(seed: int) -> nn.Sequential:
        torch.manual_seed(seed)
        return nn.Sequential(Bag(tokens, 24, length), nn.Linear(49, 24), nn.ReLU(), nn.Linear(24, classes))

    return made
