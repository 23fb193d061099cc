"""The input of probes: one population of models and the answers of each, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.answers import Answers
from probes.errors import EvidenceError
from probes.message import Message, Text
from probes.observable import Observable, Observation
from probes.plan import Pool
from probes.population import Population
from probes.sequences import Sequences

Modality = Literal["image", "table", "text", "audio", "language"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """The audited model's training, one entry per epoch; losses in nats per sample. NaN if there was no validation."""

    train_loss: Float[np.ndarray, " epochs"]
    train_accuracy: Float[np.ndarray, " epochs"]
    validation_loss: Float[np.ndarray, " epochs"]
    validation_accuracy: Float[np.ndarray, " epochs"]


@dataclass(frozen=True, kw_only=True)
class PrivacyClaim:
    """What the checkpoint claims: (ε, δ)-DP by this accountant."""

    epsilon: float
    delta: float
    accountant: str = "prv"
    searched: int = 1
    """Number of trainings on the same data from which this one was chosen: the claim is about a single training."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Canaries:
    """Randomly included canaries (each with probability 1/2) for one-run auditing, with the audited model's score of
    each, higher = more likely included."""

    included: Bool[np.ndarray, " canaries"]
    score: Float[np.ndarray, " canaries"]
    copies: Int[np.ndarray, " canaries"] | None = None
    """How often each occurs in the training data if included; None: once."""
    references: Float[np.ndarray, " references"] | None = None
    """Scores of references, drawn in the same way but in no training data, against which exposure is measured."""

    def of(self, copies: int) -> Canaries:
        """The canaries that occur this often in the training data, as a separate group."""
        if self.copies is None:
            return self
        mine = self.copies == copies
        return Canaries(included=self.included[mine], score=self.score[mine], references=self.references)

    @property
    def groups(self) -> tuple[int, ...]:
        """The numbers of copies that occur, ascending."""
        return (1,) if self.copies is None else tuple(int(one) for one in np.unique(self.copies))


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """One audited model, its pool, the population of its replicas, and what was observed inside models.

    pool           labels, and which samples are members, held out or for validation
    classes        their names, by number
    audited        what the audited model answers: one model; its mask is `pool.member`
    population     what its replicas answer
    inputs         the raw samples as the data set stores them, such as uint8 [samples height width channels] images or
                   float tables
    modality       of the inputs; image by default
    feature_names  of the columns of a table; empty by default
    group_names    of the groups in `pool.groups`; empty by default
    token_names    of token ids in `inputs`, with a leading space where a word begins; empty by default
    source_inputs  raw samples of the source's task; None, the default, if they are not available
    source_labels  their classes
    trace          of the audited model's training; None, the default, where it is not known
    epoch          of the trace, from 1: the one whose weights the audited model has; None, the default, for the last
    privacy        what differential privacy the checkpoint claims; None, the default, for none
    canaries       planted in the audited model's training; None, the default, where there are none
    sequences      token by token, where the model is a language model: then a sample is a sequence, and `audited` and
                   `population` hold what `sequence_answers` makes of these
    variants       answers of other variants of the audited model (quantised, pruned, distilled), by name
    tried          which of the models that were tried before this one was chosen was right; None, the default, where
                   their answers are not given
    provenance     what files say about the source, by fact; empty where they do not
    observations   by observable, then by model name: audited, source, reference, randomised/0, seeds/0/0 (a row's
                   name), ...
    members_doubt  why the pool's members may not be what trained the audited model: then what compares them with
                   held-out samples decides nothing; None, the default, where they are known
    limits         what is not available and why; probes do what they can and repeat it

    The axis 'samples' is the whole target data set: pool samples and validation samples.

    >>> from probes.answers import answers
    >>> mask = np.array([True, False])
    >>> evidence = Evidence(
    ...     pool=Pool(labels=np.array([0, 1]), member=mask, held_out=~mask, validation=np.zeros(2, dtype=bool)),
    ...     classes=("cat", "dog"),
    ...     audited=answers(np.zeros((1, 2, 2)), np.array([0, 1])),
    ...     population=Population(rows=(), answers=answers(np.zeros((0, 2, 2)), np.array([0, 1]))),
    ...     inputs=np.zeros((2, 3), dtype=np.float32),
    ...     modality="table",
    ... )
    >>> evidence.labels.tolist(), len(evidence.population)
    ([0, 1], 0)
    """

    pool: Pool
    classes: tuple[str, ...]
    audited: Answers
    population: Population
    inputs: Shaped[np.ndarray, "samples ..."]
    modality: Modality = "image"
    feature_names: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    token_names: Mapping[int, str] = field(default_factory=dict)
    source_inputs: Shaped[np.ndarray, "source_samples ..."] | None = None
    source_labels: Int[np.ndarray, " source_samples"] | None = None
    trace: Trace | None = None
    epoch: int | None = None
    privacy: PrivacyClaim | None = None
    canaries: Canaries | None = None
    sequences: Sequences | None = None
    variants: Mapping[str, Answers] = field(default_factory=dict)
    tried: Bool[np.ndarray, "tried samples"] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    observations: Mapping[Observable, Mapping[str, Observation]] = field(default_factory=dict)
    members_doubt: Message | None = None
    limits: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.pool.labels)
        if len(self.audited) != 1:
            raise EvidenceError(f"audited must hold one model, got {len(self.audited)}.")
        for name, size in (("audited", self.audited.margin.shape[1]), ("inputs", len(self.inputs))):
            if size != n:
                raise EvidenceError(f"{name} has {size} samples, labels has {n}.")
        for name, answers in self.variants.items():
            if answers.margin.shape != (1, n):
                raise EvidenceError(f"variant {name} has answers of shape {answers.margin.shape}, expected {(1, n)}.")
        if self.tried is not None and self.tried.shape[1] != n:
            raise EvidenceError(f"tried has {self.tried.shape[1]} samples, labels has {n}.")
        if len(self.population) and self.population.keep.shape[1] != n:
            raise EvidenceError(f"population.keep has {self.population.keep.shape[1]} samples, labels has {n}.")

    @property
    def labels(self) -> Int[np.ndarray, " samples"]:
        return self.pool.labels

    def observed(self, observable: Observable) -> Mapping[str, Observation]:
        """The observations, by model name; empty if they could not be made (see `limits`)."""
        return self.observations.get(observable, {})
