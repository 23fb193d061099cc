"""The definition of minibatches for all engines, so that each gives the same replica.

An epoch permutes the whole pool and cuts it into ceil(kept / batch_size) pieces; a replica's minibatch is the part of a
piece that it keeps. Replicas of one order and size therefore share the pieces, and one GEMM can serve them all with
their masks as loss weights; a replica's batches have `batch_size` samples on average.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from audit.runtime.randomness import stream


def steps_per_epoch(kept: int, batch_size: int) -> int:
    return max(1, math.ceil(kept / batch_size))


def shuffled(pooled: Int[np.ndarray, " pooled"], seed: int, order: str, epoch: int) -> Int[np.ndarray, " pooled"]:
    """The pool's sample indices in the order of this epoch."""
    return stream(seed, "minibatches", order, epoch).permutation(pooled)


def pieces(
    pooled: Int[np.ndarray, " pooled"], steps: int, seed: int, order: str, epoch: int
) -> Iterator[Int[np.ndarray, " piece"]]:
    """The pool's pieces in this epoch of this order, as sample indices."""
    yield from np.array_split(shuffled(pooled, seed, order, epoch), steps)


def poisson(
    pooled: Int[np.ndarray, " pooled"], rate: float, steps: int, seed: int, order: str, epoch: int
) -> Iterator[Int[np.ndarray, " piece"]]:
    """Poisson samples of the pool: each sample is in each piece with probability `rate`, independently (for DP-SGD)."""
    rng = stream(seed, "poisson", order, epoch)
    for _ in range(steps):
        yield pooled[rng.random(len(pooled)) < rate]
