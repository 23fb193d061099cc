"""Networks and inputs that tests of attributions share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = 4


class Tokens(nn.Module):
    """Token ids in, logits out, by the mean of their vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(20, 8, padding_idx=0), nn.Sequential(nn.Linear(8, 8), nn.Tanh())
        self.last = nn.Linear(8, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.last(self.head(self.table(tokens)).mean(dim=1))
        return logits


def images(samples: int = 7) -> Tensor:
    return torch.randn(samples, 3, 8, 8, generator=torch.Generator().manual_seed(1))
