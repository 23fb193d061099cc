"""Small networks for the examples: each is a factory that a recipe names as `small_networks:FUNCTION`."""

import torch
from torch import Tensor, nn


def digits_cnn(width: int = 16, num_classes: int = 10) -> nn.Module:
    """For one-channel 8 × 8 images."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, 4 * width),
        nn.ReLU(),
        nn.Linear(4 * width, num_classes),
    )


def mlp(features: int, hidden: int = 64, num_classes: int = 2) -> nn.Module:
    """For tables."""
    return nn.Sequential(
        nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
    )


def mlp_head(features: int, classes: int) -> nn.Module:
    """A head of two layers: `[head] factory = "small_networks:mlp_head"`."""
    return nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, classes))


class BagOfWords(nn.Module):
    """Mean of word vectors, then two layers; token 0 is padding."""

    def __init__(self, vocabulary: int, width: int, num_classes: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.hidden = nn.Linear(width, width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        present = (tokens != 0).unsqueeze(-1).float()
        mean = (self.words(tokens) * present).sum(1) / present.sum(1).clamp(min=1)
        return self.head(torch.relu(self.hidden(mean)))


def bag_of_words(vocabulary: int = 512, width: int = 32, num_classes: int = 2) -> nn.Module:
    return BagOfWords(vocabulary, width, num_classes)
