"""Whether a model takes rows of whole numbers as numbers, or as token ids."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

EMBEDDINGS = ("Embedding", "EmbeddingBag")


def takes_numbers(network: nn.Module, rows: Tensor) -> bool:
    """Whether it looks nothing up in an embedding and answers on these rows as floating-point numbers.

    >>> takes_numbers(nn.Linear(3, 2), torch.ones(2, 3, dtype=torch.long))
    True
    >>> tokens = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2))
    >>> takes_numbers(tokens, torch.ones(2, 3, dtype=torch.long))
    False
    """
    kinds = (getattr(module, "original_name", type(module).__name__) for module in network.modules())
    if any(kind in EMBEDDINGS for kind in kinds):
        return False
    try:
        with torch.no_grad():
            copy.deepcopy(network).cpu().float().eval()(rows.float())
    except Exception:  # the user's network raises what it likes
        return False
    return True
