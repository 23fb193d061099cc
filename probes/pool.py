"""The pool of an audit, and how its samples are dealt into folds and subsets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from probes.errors import EvidenceError


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """The audited model's members and held-out samples.

    labels      the class of each sample
    member      which samples the audited model was trained on
    held_out    which it was not; replicas may train on them
    validation  which no model trains on
    groups      ids of e.g. patients: whole groups are in one fold; None, the default, for none
    times       ranks in time: folds are stretches of it; None, the default, for none

    >>> mask = np.array([True, True, False])
    >>> pool = Pool(labels=np.array([0, 1, 1]), member=mask, held_out=~mask, validation=np.zeros(3, dtype=bool))
    >>> pool.indices.tolist(), round(pool.member_share, 2), pool.matched_folds
    ([0, 1, 2], 0.67, 3)
    """

    labels: Int[np.ndarray, " samples"]
    member: Bool[np.ndarray, " samples"]
    held_out: Bool[np.ndarray, " samples"]
    validation: Bool[np.ndarray, " samples"]
    groups: Int[np.ndarray, " samples"] | None = None
    times: Int[np.ndarray, " samples"] | None = None

    def __post_init__(self) -> None:
        roles = self.member.astype(int) + self.held_out + self.validation
        if (roles > 1).any():
            raise EvidenceError(
                f"sample {int(np.argmax(roles > 1))} is in more than one of member, held_out, validation."
            )
        if not self.member.any() or not self.held_out.any():
            raise EvidenceError(
                f"an audit needs members and held-out samples, got {int(self.member.sum())} "
                f"and {int(self.held_out.sum())}."
            )

    @cached_property
    def indices(self) -> Int[np.ndarray, " pooled"]:
        return np.flatnonzero(self.member | self.held_out)

    @property
    def member_share(self) -> float:
        """p = members / pool."""
        return float(self.member.sum() / len(self.indices))

    @property
    def matched_folds(self) -> int:
        """K = round(1 / (1 − p)), at least 2: replicas train on as many samples as the audited model did."""
        return max(2, round(1 / (1 - self.member_share)))


def folds_of(pool: Pool, k: int, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
    """Fold of each pooled sample: stratified by label; whole groups together."""
    labels = pool.labels[pool.indices]
    fold = np.empty(len(labels), dtype=np.int64)
    if pool.groups is not None:
        groups = pool.groups[pool.indices]
        names = rng.permutation(np.unique(groups))
        sizes = np.array([(groups == name).sum() for name in names])
        load = np.zeros(k, dtype=np.int64)
        # Largest group first into the lightest fold keeps the sizes even (greedy scheduling, Graham 1969).
        for position in np.argsort(-sizes, kind="stable"):
            lightest = int(np.argmin(load))
            fold[groups == names[position]] = lightest
            load[lightest] += sizes[position]
        return fold
    # One deal through all classes, each class shuffled, so both classes and fold sizes are even to within one.
    position = 0
    for label in rng.permutation(np.unique(labels)):
        mine = rng.permutation(np.flatnonzero(labels == label))
        fold[mine] = (position + np.arange(len(mine))) % k
        position += len(mine)
    return rng.permutation(k)[fold]


def stretches(pool: Pool, k: int, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
    """Folds that are stretches of time (blocked cross-validation, Bergmeir & Benítez 2012), with different boundaries
    in each repeat.

    The first and the last stretch of a repeat may be one fold: time is treated as a ring so that all folds are equal.
    """
    if pool.times is None:
        raise EvidenceError("stretches of time need times.")
    n = len(pool.indices)
    # Equal times stay together as far as possible: ties are in one random order.
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((rng.permutation(n), pool.times[pool.indices]))] = np.arange(n)
    return ((rank + rng.integers(n)) % n * k // n).astype(np.int64)


def ranks(pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
    """A rank for each pooled sample: by single samples, by whole groups, or by time from a random start."""
    if pool.groups is not None:
        names, group = np.unique(pool.groups[pool.indices], return_inverse=True)
        return np.asarray(rng.permutation(len(names))[group], dtype=np.int64)
    if pool.times is not None:
        return stretches(pool, len(pool.indices), rng)
    return folds_of(pool, len(pool.indices), rng)


def first_of(pool: Pool, size: int, rank: Int[np.ndarray, " pooled"]) -> Int[np.ndarray, " chosen"]:
    """The first `size` in this order: with the pool's class shares for single samples; for whole groups, the number
    that comes closest to that size; or a stretch of time."""
    if pool.groups is not None:
        reached = np.cumsum(np.bincount(rank))
        # At least one group is left out.
        return np.flatnonzero(rank <= np.abs(reached - size)[:-1].argmin()) if len(reached) > 1 else np.arange(size)
    if pool.times is not None:
        return np.argsort(rank, kind="stable")[:size]
    return _balanced(pool.labels[pool.indices], size, rank)


def _balanced(
    labels: Int[np.ndarray, " pooled"], size: int, deal: Int[np.ndarray, " pooled"]
) -> Int[np.ndarray, " chosen"]:
    """`size` samples with the pool's class shares: the lowest within-class rank, as a share of the class."""
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        rank[mine[np.argsort(deal[mine], kind="stable")]] = (np.arange(len(mine)) + 0.5) / len(mine)
    return np.argsort(rank + 1e-9 * deal, kind="stable")[:size]
