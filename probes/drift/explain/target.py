"""The question to an attribution method: why does the network give this score to these inputs?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from probes.observable import Subject

MEMORY = 2**28
"""Bytes of activations kept for one backward pass."""
MOST_ROWS = 192


class LabelLogit(nn.Module):
    """The logit of a class, one per sample."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.body = network

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.body(inputs)
        return logits.gather(1, labels[:, None])[:, 0]


class EmbeddingNorm(nn.Module):
    """The embedding's norm: a target that source and audited model both have, whatever their labels are."""

    def __init__(self, embed: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body = embed

    def forward(self, inputs: Tensor) -> Tensor:
        norms: Tensor = self.body(inputs).flatten(1).norm(dim=1)
        return norms


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """`score` maps inputs (and labels, if the target is a class) to one number per sample.

    `steps` is the minimum number of nodes of a path integral; up to `most` are used while its completeness residual is
    above `tolerance`. `layer` names the layer that layer methods use; if empty, it is chosen automatically. `rows`
    inputs go through the network at once.
    """

    score: nn.Module
    inputs: Shaped[Tensor, "samples ..."]
    labels: Int[Tensor, " samples"] | None
    rng: np.random.Generator
    steps: int = 8
    tolerance: float = 1.0
    most: int = 8
    layer: str = ""
    rows: int = 1

    @property
    def extra(self) -> tuple[Tensor, ...]:
        """What Captum passes to the score besides the inputs, repeated to match its own batches."""
        return () if self.labels is None else (self.labels,)

    @property
    def baseline(self) -> Shaped[Tensor, "samples ..."]:
        """The uninformative input: the mean of normalised inputs, the padding token."""
        return torch.zeros_like(self.inputs)

    @property
    def gradient_inputs(self) -> Float[Tensor, "samples ..."]:
        return self.inputs.detach().clone().requires_grad_()

    def batches(self) -> Iterator[Question]:
        """The same question in small batches, so that memory does not grow with the number of samples."""
        for start in range(0, len(self.inputs), self.rows):
            part = slice(start, start + self.rows)
            labels = None if self.labels is None else self.labels[part]
            yield dataclasses.replace(self, inputs=self.inputs[part], labels=labels)

    def at(self, some: Int[np.ndarray, " some"]) -> Question:
        """The same question for some of the samples."""
        index = torch.from_numpy(some).to(self.inputs.device)
        labels = None if self.labels is None else self.labels[index]
        return dataclasses.replace(self, inputs=self.inputs[index], labels=labels)

    def of(self, inputs: Shaped[Tensor, "samples ..."]) -> Question:
        return dataclasses.replace(self, inputs=inputs)


def why_label(
    subject: Subject, inputs: Shaped[Tensor, "samples ..."], labels: Int[Tensor, " samples"], rng: np.random.Generator
) -> Question:
    """Why this much for this class? Its logit, since probabilities saturate."""
    return sized(Question(score=LabelLogit(subject.network), inputs=inputs, labels=labels, rng=rng))


def why_embedding(subject: Subject, inputs: Shaped[Tensor, "samples ..."], rng: np.random.Generator) -> Question:
    return sized(Question(score=EmbeddingNorm(subject.embed), inputs=inputs, labels=None, rng=rng))


def sized(question: Question) -> Question:
    """As many rows at once as MEMORY allows."""
    return dataclasses.replace(question, rows=_rows(question))


def _rows(question: Question) -> int:
    """The memory of a second sample's activations is the cost of every further one: weights are counted in both."""
    if len(question.inputs) < 2:
        return 1
    one, two = (_kept(question, n) for n in (1, 2))
    return int(np.clip(MEMORY // max(two - one, 1), 1, MOST_ROWS))


def _kept(question: Question, samples: int) -> int:
    total = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal total
        total += tensor.nelement() * tensor.element_size()
        return tensor

    inputs = question.inputs[:samples].detach().clone()
    if inputs.is_floating_point():
        inputs.requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        question.score(inputs, *(one[:samples] for one in question.extra))
    return total
