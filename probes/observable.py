"""Observables: a pure measurement of one model on chosen samples, declared by a probe and executed by `audit`.

`audit` decides device, batches and cache; the observable is a frozen dataclass, so its fields are its cache key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor, nn

Role = str
"""The role of a model in the audit: audited, source, reference, variant or randomised, or the name of a replica's
design."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observation:
    """What one model gave to an observable.

    samples  indices of the samples that were looked at
    arrays   by name; their first axis is `samples` where they are per sample

    >>> Observation(samples=np.array([3, 5]), arrays={"norm": np.array([1.0, 2.0])}).arrays["norm"].tolist()
    [1.0, 2.0]
    """

    samples: Int[np.ndarray, " chosen"]
    arrays: Mapping[str, Shaped[np.ndarray, "..."]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SourceSide:
    """Where the audited model came from.

    network    the source with its own head
    head       that head alone, on an embedding
    head_name  its dotted name in the network
    inputs     samples of the source's task as models take them; None if they are not available
    labels     their classes
    member     which of them trained the source
    fast       the network with BatchNorm folded into the layers before it, whose answers are the same to rounding; None
               if there is none to fold
    """

    network: nn.Module
    head: Callable[[Tensor], Tensor]
    head_name: str = ""
    inputs: Float[Tensor, "source_samples ..."] | Int[Tensor, "source_samples ..."] | None = None
    labels: Int[np.ndarray, " source_samples"] | None = None
    member: Bool[np.ndarray, " source_samples"] | None = None
    fast: nn.Module | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One model, ready to be observed: in eval mode, activations out-of-place and unshared, on its device.

    name         audited, source, reference, seeds/0/0 (a row's name), ...
    role         the kind of model that this is
    network      maps inputs to logits
    embed        maps the same inputs to the embedding under the head
    folded       makes the same model with BatchNorm folded into the layers before it; None if there is none to fold
    same_labels  whether its classes are the audited model's; a source model's usually are not
    modality     of the inputs; image by default
    source       gives the source, if its weights are available; None otherwise
    """

    name: str
    role: Role
    network: nn.Module
    embed: Callable[[Tensor], Tensor]
    same_labels: bool
    modality: str = "image"
    source: Callable[[], SourceSide] | None = None
    folded: Callable[[], Subject | None] = lambda: None

    @cached_property
    def fast(self) -> Subject:
        """For answers, which are the same to rounding. Inner activations are others, and gradients may be: rounding
        decides on which side of its bend a ReLU is."""
        return self.folded() or self


@runtime_checkable
class Observable(Protocol):
    """A frozen dataclass that measures one model."""

    @property
    def models(self) -> Mapping[Role, int]:
        """The largest number of models of each role that are measured: {'audited': 1, 'source': 1, 'seeds': 3}."""
        ...

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """The samples to measure on; the same for every model."""
        ...

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        """Measure; `inputs` are preprocessed (normalised) as the model takes them and are on the model's device.

        The observable must limit its own batches and memory: `inputs` may be thousands of samples.
        """
        ...


class OfAudited:
    """Base of observables that look into the audited model alone."""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}


class OnHeldOut(OfAudited):
    """Base of observables that look at `samples` held-out samples, as evenly over their classes as these allow."""

    samples: int

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.held_out), pool.labels, self.samples, rng)


def choose_stratified(
    candidates: Int[np.ndarray, " candidates"], labels: Int[np.ndarray, " samples"], size: int, rng: np.random.Generator
) -> Int[np.ndarray, " chosen"]:
    """At most `size` of the candidates, as evenly over their classes as possible, in ascending order."""
    if len(candidates) <= size:
        return np.sort(candidates)
    shuffled = rng.permutation(candidates)
    turn = np.empty(len(shuffled), dtype=np.int64)
    for label in np.unique(labels[shuffled]):
        mine = np.flatnonzero(labels[shuffled] == label)
        turn[mine] = np.arange(len(mine))
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:size]])


def choose_both_sides(pool: Pool, size: int, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
    """Members, and as many held-out samples after them: half of `size` each, or as many as both sides have."""
    each = min(size // 2, int(pool.held_out.sum()), int(pool.member.sum()))
    parts = [choose_stratified(np.flatnonzero(part), pool.labels, each, rng) for part in (pool.member, pool.held_out)]
    return np.concatenate(parts)
