"""The source's head takes the embedding, whatever layer it is."""

from __future__ import annotations

import torch
from torch import nn

from audit.evidence.source_side import _on_embedding


def test_a_convolution_as_head_takes_the_pooled_embedding() -> None:
    torch.manual_seed(0)
    head, images = nn.Conv2d(6, 3, kernel_size=1), torch.randn(4, 6, 5, 5)
    pooled = head(images).mean(dim=(2, 3))
    torch.testing.assert_close(_on_embedding(head)(images.mean(dim=(2, 3))), pooled)


def test_a_linear_head_is_itself() -> None:
    head = nn.Linear(3, 2)
    assert _on_embedding(head) is head
