"""Intruder dimensions: leading directions of a fine-tuned weight that resemble none of its base's (Shuttleworth et al.,
LoRA vs Full Fine-tuning: An Illusion of Equivalence, 2024)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.trainers.lora import LoRALinear

LEADING = 10
"""Number of leading singular vectors of the fine-tuned weight that are compared."""
UNLIKE = 0.6
"""A direction is an intruder if its largest cosine to any of the base's singular vectors is below this."""
WIDEST = 4096
"""Largest width of a weight that is decomposed: the time grows with its cube."""


@torch.no_grad()
def intruders(network: nn.Module) -> dict[str, int]:
    """The number of intruders among each adapted layer's leading directions, by layer name. Empty without adapters."""
    found = {}
    for name, layer in network.named_modules():
        if not isinstance(layer, LoRALinear) or not isinstance(layer.layer.weight, Tensor):
            continue
        change = (layer.down[0] @ layer.up[0]).T * layer.scale
        # transformers' Conv1D holds its weight as [in, out].
        weight = layer.layer.weight if isinstance(layer.layer, nn.Linear) else layer.layer.weight.T
        if max(weight.shape) <= WIDEST:
            found[name] = count_intruders(weight.float(), weight.float() + change)
    return found


def count_intruders(base: Float[Tensor, "high wide"], tuned: Float[Tensor, "high wide"]) -> int:
    """Of the tuned weight's leading left singular vectors, those whose cosine to each of the base's is below UNLIKE.

    >>> count_intruders(torch.eye(4), torch.eye(4))
    0
    """
    before = torch.linalg.svd(base, full_matrices=False).U
    after = torch.linalg.svd(tuned, full_matrices=False).U[:, :LEADING]
    return int(((before.T @ after).abs().max(dim=0).values < UNLIKE).sum())
