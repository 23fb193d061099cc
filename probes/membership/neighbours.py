"""What a model says of the samples most like a sample: membership shows jointly.

Training on a sample also moves the answers about samples of its class that resemble it, and what one model happens to
say of a region it says of all samples there. So answers about neighbours tell how much of a sample's answer is its own
(attacking samples jointly: Du et al. 2025, Cascading membership inference, arXiv 2507.21412).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float32, Float64, Int

from probes.large_arrays import parts

LARGEST_BLOCK, ENTRIES = 2000, 2**25
"""The most samples in a block, and the most numbers in all blocks together: 256 MiB."""
NOISE = 0.3
"""Variance of what neighbours do not share, relative to what they share. Chosen with WIDTH on five transfers that are
not in the table of docs/membership.md."""
WIDTH = 2.0
"""Of the kernel: its squared distance, relative to the number of features."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """Predicts a quantity of each sample from the same quantity of the other samples in its block, by kriging.

    Each block holds samples of one class: their indices, and a matrix with zeros on its diagonal.
    """

    samples: tuple[Int[np.ndarray, " _"], ...]
    weights: tuple[Float32[np.ndarray, "_ _"], ...]

    @classmethod
    def of(cls, features: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"]) -> Neighbours:
        """Of samples of the same class, by their standardised features; membership is not used."""
        scaled = Standardised.of(features)
        most = block_size(len(labels))
        blocks = [block for label in np.unique(labels) for block in blocks_of(scaled, labels == label, most)]
        return cls(samples=tuple(blocks), weights=tuple(_kriging(scaled(block)) for block in blocks))

    def __call__(
        self, values: Float[np.ndarray, "models samples"], thin: int = 1
    ) -> Float64[np.ndarray, "models predicted"]:
        """Of every `thin`-th sample; zero where a sample is alone in its block."""
        found = np.zeros((len(values), -(-values.shape[1] // thin)))
        narrow = values.astype(np.float32, copy=False)
        for block, weights in zip(self.samples, self.weights, strict=True):
            chosen = block % thin == 0
            found[:, block[chosen] // thin] = narrow[:, block] @ (weights if thin == 1 else weights[chosen]).T
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardised:
    """Features with mean 0 and standard deviation 1, without those that are constant; computed for some samples at a
    time."""

    features: Float[np.ndarray, "samples features"]
    varying: Bool[np.ndarray, " features"]
    mean: Float64[np.ndarray, " varying"]
    spread: Float64[np.ndarray, " varying"]

    @classmethod
    def of(cls, features: Float[np.ndarray, "samples features"]) -> Standardised:
        mean = features.mean(axis=0, dtype=np.float64)
        squares = np.zeros(features.shape[1])
        for part in parts(*features.shape):
            squares += ((features[part] - mean) ** 2).sum(axis=0)
        spread = np.sqrt(squares / len(features))
        varying = spread > 1e-9 * max(1e-9, float(spread.max(initial=0.0)))
        return cls(features=features, varying=varying, mean=mean[varying], spread=spread[varying])

    def __call__(self, samples: Int[np.ndarray, " some"]) -> Float64[np.ndarray, "some varying"]:
        return np.asarray((self.features[samples][:, self.varying] - self.mean) / self.spread)


def block_size(samples: int) -> int:
    """The most samples in a block, of so many."""
    return int(np.clip(ENTRIES // max(1, samples), 2, LARGEST_BLOCK))


def blocks_of(scaled: Standardised, chosen: Bool[np.ndarray, " samples"], most: int) -> list[Int[np.ndarray, " _"]]:
    """The chosen samples; in parts along their first principal axis if they are more than `most`."""
    mine = np.flatnonzero(chosen)
    if len(mine) <= most:
        return [mine]
    some = [mine[part] for part in parts(len(mine), len(scaled.mean))]
    mean = sum((scaled(one).sum(axis=0) for one in some), np.zeros(len(scaled.mean))) / len(mine)
    gram = np.zeros((len(mean), len(mean)))
    for one in some:
        centred = scaled(one) - mean
        gram += centred.T @ centred
    _, axis = scipy.linalg.eigh(gram, subset_by_index=(len(gram) - 1, len(gram) - 1))
    order = np.argsort(np.concatenate([(scaled(one) - mean) @ axis[:, 0] for one in some]), kind="stable")
    return [np.sort(mine[part]) for part in np.array_split(order, -(-len(mine) // most))]


def _kriging(scaled: Float64[np.ndarray, "block features"]) -> Float32[np.ndarray, "block block"]:
    """Leave-one-out weights of a Gaussian process: with P the inverse covariance, −P[i, j] / P[i, i] for j ≠ i."""
    squares = (scaled**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares - 2 * scaled @ scaled.T, 0.0)
    covariance = np.exp(-distance / (WIDTH * max(1, scaled.shape[1])))
    covariance[np.diag_indices_from(covariance)] = 1 + NOISE
    upper, _ = scipy.linalg.lapack.dpotrf(covariance, overwrite_a=True)
    precision, _ = scipy.linalg.lapack.dpotri(upper, overwrite_c=True)  # its upper triangle
    precision += np.triu(precision, 1).T
    weights = -precision / np.diag(precision)[:, None]
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights, dtype=np.float32)
