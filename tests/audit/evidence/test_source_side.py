"""The source's head takes the embedding, whatever layer it is."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from audit.evidence.source_side import _on_embedding, source_side
from audit.training.experiment import Experiment


def test_a_convolution_as_head_takes_the_pooled_embedding() -> None:
    torch.manual_seed(0)
    head, images = nn.Conv2d(6, 3, kernel_size=1), torch.randn(4, 6, 5, 5)
    pooled = head(images).mean(dim=(2, 3))
    torch.testing.assert_close(_on_embedding(head)(images.mean(dim=(2, 3))), pooled)


def test_a_linear_head_is_itself() -> None:
    head = nn.Linear(3, 2)
    assert _on_embedding(head) is head


def test_it_is_prepared_once_for_an_experiment(experiment: Experiment) -> None:
    once = dataclasses.replace(experiment)
    assert source_side(once) is source_side(once)
    assert source_side(dataclasses.replace(experiment)) is not source_side(once)
