"""The input of an attack: one model, its replicas, and everything else that an attacker may know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float64, Int

from probes.answers import Answers
from probes.evidence import Evidence
from probes.large_arrays import empty, parts, taken
from probes.measures.embedding import Embedding
from probes.membership.gradient_norm import GradientNorm
from probes.membership.neighbours import Neighbours
from probes.population import Population
from probes.sequences import Sequences

COMPONENTS = 16
"""Principal components of the source model's features: enough to characterise a sample, few enough to learn from a
hundred samples."""
LARGEST_INPUT = 1024
"""Raw inputs with more numbers than this carry no usable information without a model."""
FOLDS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Fold:
    """A part of the samples, and what may be known when it is attacked.

    known   indices of non-members that an attacker may learn from when it scores `scored`
    scored  indices of the samples of the fold; it holds none of the known ones
    """

    known: Int[np.ndarray, " known"]
    scored: Int[np.ndarray, " scored"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """One model under attack, on the pooled samples, beside replicas that share no minibatch order with it.

    labels         the class of each pooled sample
    answers        of the model under attack about them
    replicas       the replicas' answers about them
    keep           which replica trained on which sample
    z              the model's probabilities of the label on samples that no model trained on; empty if there are none
    z_replicas     the same of each replica
    order          of the replicas: equal numbers share minibatch order and initial head; None if it is not known
    features       describe the samples without the model under attack; None if there are none
    neighbours     similar samples of the same class, by all features; None if there are none
    gradient_norm  of the loss in the last layer, one a sample; None if it could not be observed
    folds          cover every sample once; none if there are too few samples
    sequences      token by token, of language models; None for others
    """

    labels: Int[np.ndarray, " samples"]
    answers: Answers
    replicas: Answers
    keep: Bool[np.ndarray, "replicas samples"]
    z: Float64[np.ndarray, " population"]
    z_replicas: Float64[np.ndarray, "replicas population"]
    order: Int[np.ndarray, " replicas"] | None = None
    features: Float[np.ndarray, "samples features"] | None = None
    neighbours: Neighbours | None = None
    gradient_norm: Float[np.ndarray, " samples"] | None = None
    folds: Sequence[Fold] = ()
    sequences: Sequences | None = None

    @property
    def in_and_out(self) -> bool:
        """Does every sample have replicas that trained on it and replicas that did not?"""
        return self.fewest_replicas >= 1

    @property
    def fewest_replicas(self) -> int:
        """The smallest number of replicas on one side, over sides and samples."""
        if not len(self.keep):
            return 0
        inside = self.keep.sum(axis=0)
        return int(min(inside.min(), (len(self.keep) - inside).min()))


def target_of(evidence: Evidence, population: Population, rng: np.random.Generator) -> Target:
    """The audited model on the pooled samples."""
    pooled, z = evidence.pool.indices, np.flatnonzero(evidence.pool.validation)

    def probability(log_prob: np.ndarray) -> np.ndarray:
        return np.exp(log_prob[:, z].astype(np.float64))

    seen = evidence.observed(GradientNorm()).get("audited")
    described = described_samples(evidence)
    return Target(
        labels=evidence.labels[pooled],
        answers=evidence.audited.on(pooled),
        replicas=population.answers.on(pooled),
        keep=taken(population.keep, pooled, axis=-1),
        z=probability(evidence.audited.log_prob)[0],
        z_replicas=probability(population.answers.log_prob),
        order=population.order if len(population) else None,
        features=None if described is None else principal_components(described, COMPONENTS),
        neighbours=None if described is None else Neighbours.of(described, evidence.labels[pooled]),
        gradient_norm=None if seen is None else seen.arrays["gradient_norm"][np.isin(seen.samples, pooled)],
        folds=folds(evidence.pool.member[pooled], rng),
        sequences=None if evidence.sequences is None else evidence.sequences.on(pooled),
    )


def folds(member: Bool[np.ndarray, " samples"], rng: np.random.Generator) -> tuple[Fold, ...]:
    """Members and non-members are distributed over the folds alike. A fit for a fold has seen nothing of it, so for a
    model that leaks nothing, both sides of a fold are exchangeable."""
    fold = np.empty(len(member), dtype=np.int64)
    for side in (member, ~member):
        mine = rng.permutation(np.flatnonzero(side))
        fold[mine] = np.arange(len(mine)) % FOLDS
    found = []
    for one in range(FOLDS):
        known, scored = np.flatnonzero(~member & (fold != one)), np.flatnonzero(fold == one)
        found.append(Fold(known=known, scored=scored))
    return tuple(found)


def described_samples(evidence: Evidence) -> Float64[np.ndarray, "pooled features"] | None:
    """The source model's features of the pooled samples, less their mean; the inputs themselves if there is no source
    model and they are small. Neither labels nor membership are used."""
    pooled = evidence.pool.indices
    seen = evidence.observed(Embedding()).get("source")
    if seen is not None:
        raw = taken(seen.arrays["embedding"], pooled)
    elif evidence.inputs.dtype.kind in "fiu" and evidence.modality not in ("text", "language"):
        raw = taken(evidence.inputs, pooled).reshape(len(pooled), -1)
    else:
        return None
    if seen is None and not 0 < raw.shape[1] <= LARGEST_INPUT:
        return None
    centred, mean = empty(raw.shape, np.float64), raw.mean(axis=0, dtype=np.float64)
    for part in parts(*raw.shape):
        centred[part] = raw[part].astype(np.float64) - mean
        if not np.isfinite(centred[part]).all():
            return None
    return centred if centred.any() else None


def principal_components(
    centred: Float64[np.ndarray, "samples features"], most: int
) -> Float64[np.ndarray, "samples components"]:
    """Coordinates along the axes of largest variance, largest first, from the smaller of both Gram matrices: 4,096
    features of 1,000 samples have at most 1,000 axes."""
    n, features = centred.shape
    wide = n < features
    gram = centred @ centred.T if wide else centred.T @ centred
    values, axes = scipy.linalg.eigh(gram, subset_by_index=(max(0, len(gram) - most), len(gram) - 1))
    values, axes = values[::-1], axes[:, ::-1]
    if wide:
        return np.asarray(axes * np.sqrt(np.maximum(values, 0)))
    return np.matmul(centred, axes, out=empty((n, axes.shape[1]), np.float64))
