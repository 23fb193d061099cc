"""Which replicas a probe needs: designs are boolean masks over one pool, and a plan is a union of designs.

A replica is the audited model's recipe, run again from the same source weights on another subset of the pool.
The union of two plans is their maximum, not their sum: no replica is trained twice for the same row.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from probes.errors import EvidenceError

Start = Literal["source", "scratch"]
Transfer = Literal["recipe", "features"]


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One replica to train.

    design         name of the design that needs it
    repeat, fold   its place in the design, from 0
    order          identifies a minibatch order with its initial head; rows of one order resemble each other more than
                   they resemble the audited model, so a stand-in is attacked only with rows of other orders
    keep           which samples it trains on
    start          source (the default) or scratch: where its weights start
    targets        the labels that it trains on and is evaluated on, if they are not the true ones; None by default
    transfer       recipe (the default), or features: a new head on frozen features
    keeps_weights  whether its network is kept, so that observables can measure it; off by default, decided by the
                   designs

    >>> Row(design="splits", repeat=0, fold=2, order="splits/0", keep=np.ones(3, dtype=bool)).name
    'splits/0/2'
    """

    design: str
    repeat: int
    fold: int
    order: str
    keep: Bool[np.ndarray, " samples"]
    start: Start = "source"
    targets: Int[np.ndarray, " samples"] | None = None
    transfer: Transfer = "recipe"
    keeps_weights: bool = False

    @property
    def name(self) -> str:
        return f"{self.design}/{self.repeat}/{self.fold}"


@runtime_checkable
class Design(Protocol):
    """A frozen dataclass whose integer and tuple fields merge by maximum and union."""

    @property
    def name(self) -> str: ...

    @property
    def stream(self) -> str:
        """The random stream of its masks; designs with the same stream share masks, so they can be paired."""
        ...

    @property
    def rounds(self) -> int:
        """The number of values of `repeat` in its rows."""
        ...

    def capped(self, rounds: int) -> Design:
        """The design limited to its first rounds, for a budget."""
        ...

    def keeps_weights(self, row: Row) -> bool:
        """Whether this row's replica can be observed; weights take space, so only a few should be kept."""
        ...

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        """The rows in balanced rounds: stopping after any round leaves a valid design."""
        ...


def _folds(pool: Pool, k: int, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
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


def _stretches(pool: Pool, k: int, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
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


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Repeated K-fold over the pool.

    repeats  of the folds, at least 1 (8)
    folds    at least 2, or 0, the default, for as many as match the audited model's training size

    >>> mask = np.arange(8) < 6
    >>> pool = Pool(labels=np.arange(8) % 2, member=mask, held_out=~mask, validation=np.zeros(8, dtype=bool))
    >>> rows = list(Splits(repeats=2).rows(pool, np.random.default_rng(0)))
    >>> [row.name for row in rows][:3], sum(row.keep for row in rows).tolist()
    (['splits/0/0', 'splits/0/1', 'splits/0/2'], [6, 6, 6, 6, 6, 6, 6, 6])
    """

    repeats: int = 8
    folds: int = 0
    name: ClassVar[str] = "splits"
    stream: ClassVar[str] = "splits"

    @property
    def rounds(self) -> int:
        return self.repeats

    def capped(self, rounds: int) -> Splits:
        return dataclasses.replace(self, repeats=min(self.repeats, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return row.repeat == 0

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        k = self.folds or pool.matched_folds
        if k > len(pool.indices):
            raise EvidenceError(f"{k} folds need at least {k} pooled samples, got {len(pool.indices)}.")
        for repeat in range(self.repeats):
            # Neighbours in time are similar: whole groups first, then stretches of time, keep them on one side.
            in_time = pool.times is not None and pool.groups is None
            fold_of = _stretches(pool, k, rng) if in_time else _folds(pool, k, rng)
            for fold in range(k):
                keep = np.zeros(len(pool.labels), dtype=bool)
                keep[pool.indices[fold_of != fold]] = True
                yield Row(design=self.name, repeat=repeat, fold=fold, order=f"{self.name}/{repeat}", keep=keep)


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """The audited model's own mask with other seeds: the noise floor of all comparisons.

    replicas  how many, at least 0 (4)

    >>> mask = np.arange(4) < 2
    >>> pool = Pool(labels=np.arange(4) % 2, member=mask, held_out=~mask, validation=np.zeros(4, dtype=bool))
    >>> [int(row.keep.sum()) for row in Seeds(replicas=2).rows(pool, np.random.default_rng(0))]
    [2, 2]
    """

    replicas: int = 4
    name: ClassVar[str] = "seeds"
    stream: ClassVar[str] = "seeds"

    @property
    def rounds(self) -> int:
        return self.replicas

    def capped(self, rounds: int) -> Seeds:
        return dataclasses.replace(self, replicas=min(self.replicas, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return True

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        for repeat in range(self.replicas):
            yield Row(design=self.name, repeat=repeat, fold=0, order=f"{self.name}/{repeat}", keep=pool.member.copy())


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Other training sizes: the learning curve.

    shares   of the audited model's training size, in (0, 1) (0.25 and 0.5)
    repeats  of each, at least 1 (4)

    Stratified subsets of the pool; whole groups, or stretches of time, if the pool has those.

    >>> mask = np.arange(16) < 8
    >>> pool = Pool(labels=np.arange(16) % 2, member=mask, held_out=~mask, validation=np.zeros(16, dtype=bool))
    >>> [int(row.keep.sum()) for row in Sizes(repeats=2).rows(pool, np.random.default_rng(0))]
    [2, 4, 2, 4]
    """

    shares: tuple[float, ...] = (0.25, 0.5)
    repeats: int = 4
    name: ClassVar[str] = "sizes"
    stream: ClassVar[str] = "sizes"

    @property
    def rounds(self) -> int:
        return self.repeats

    def capped(self, rounds: int) -> Sizes:
        return dataclasses.replace(self, repeats=min(self.repeats, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return False

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        members = int(pool.member.sum())
        for repeat in range(self.repeats):
            # Nested subsets of one order: sizes of a repeat differ only by the added samples.
            deal = _deal(pool, rng)
            for position, share in enumerate(self.shares):
                size = min(max(1, round(share * members)), len(pool.indices) - 1)
                keep = np.zeros(len(pool.labels), dtype=bool)
                keep[pool.indices[_first(pool, size, deal)]] = True
                yield Row(design=self.name, repeat=repeat, fold=position, order=f"{self.name}/{repeat}", keep=keep)


def _deal(pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " pooled"]:
    """A rank for each pooled sample: by single samples, by whole groups, or by time from a random start."""
    if pool.groups is not None:
        names, group = np.unique(pool.groups[pool.indices], return_inverse=True)
        return np.asarray(rng.permutation(len(names))[group], dtype=np.int64)
    if pool.times is not None:
        return _stretches(pool, len(pool.indices), rng)
    return _folds(pool, len(pool.indices), rng)


def _first(pool: Pool, size: int, deal: Int[np.ndarray, " pooled"]) -> Int[np.ndarray, " chosen"]:
    """The first `size` in this order: with the pool's class shares for single samples; for whole groups, the number
    that comes closest to that size; or a stretch of time."""
    if pool.groups is not None:
        reached = np.cumsum(np.bincount(deal))
        # At least one group is left out.
        return np.flatnonzero(deal <= np.abs(reached - size)[:-1].argmin()) if len(reached) > 1 else np.arange(size)
    if pool.times is not None:
        return np.argsort(deal, kind="stable")[:size]
    return _balanced(pool.labels[pool.indices], size, deal)


def _balanced(
    labels: Int[np.ndarray, " pooled"], size: int, deal: Int[np.ndarray, " pooled"]
) -> Int[np.ndarray, " chosen"]:
    """`size` samples with the pool's class shares: the lowest within-class rank, as a share of the class."""
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        rank[mine[np.argsort(deal[mine], kind="stable")]] = (np.arange(len(mine)) + 0.5) / len(mine)
    return np.argsort(rank + 1e-9 * deal, kind="stable")[:size]


@dataclass(frozen=True, kw_only=True)
class Subsamples:
    """Stratified subsets of the pool, each drawn anew: a bootstrap without replacement.

    share     of the audited model's training size, in (0, 1] (0.632)
    replicas  how many, at least 0 (8)

    >>> mask = np.arange(16) < 8
    >>> pool = Pool(labels=np.arange(16) % 2, member=mask, held_out=~mask, validation=np.zeros(16, dtype=bool))
    >>> [int(row.keep.sum()) for row in Subsamples(replicas=3).rows(pool, np.random.default_rng(0))]
    [5, 5, 5]
    """

    share: float = 0.632
    replicas: int = 8
    name: ClassVar[str] = "subsamples"
    stream: ClassVar[str] = "subsamples"

    @property
    def rounds(self) -> int:
        return self.replicas

    def capped(self, rounds: int) -> Subsamples:
        return dataclasses.replace(self, replicas=min(self.replicas, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return False

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        for row in Sizes(shares=(self.share,), repeats=self.replicas).rows(pool, rng):
            yield dataclasses.replace(row, design=self.name, order=f"{self.name}/{row.repeat}")


@dataclass(frozen=True, kw_only=True)
class Shuffled:
    """The audited model's mask with shuffled labels: the recipe's capacity to memorise.

    replicas  how many, at least 0 (2)

    >>> mask = np.arange(16) < 8
    >>> pool = Pool(labels=np.arange(16) % 2, member=mask, held_out=~mask, validation=np.zeros(16, dtype=bool))
    >>> (row,) = Shuffled(replicas=1).rows(pool, np.random.default_rng(0))
    >>> row.targets is not None and bool((np.bincount(row.targets) == np.bincount(pool.labels)).all())
    True
    """

    replicas: int = 2
    name: ClassVar[str] = "shuffled"
    stream: ClassVar[str] = "shuffled"

    @property
    def rounds(self) -> int:
        return self.replicas

    def capped(self, rounds: int) -> Shuffled:
        return dataclasses.replace(self, replicas=min(self.replicas, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return row.repeat == 0

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        for repeat in range(self.replicas):
            targets = pool.labels.copy()
            targets[pool.member] = rng.permutation(targets[pool.member])
            yield Row(
                design=self.name,
                repeat=repeat,
                fold=0,
                order=f"{self.name}/{repeat}",
                keep=pool.member.copy(),
                targets=targets,
            )


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """The first folds of `Splits`, trained another way: from scratch, or as a linear probe on frozen features.

    kind     scratch, or linear-probe: on frozen features
    repeats  of the folds that they may take, at least 1 (3)
    folds    as in `Splits` (0)
    most     rows in all (6): with two folds, Student's t interval is six times as wide as with six

    Takes the same stream as `Splits`, so that repeat and fold identify the same mask and differences are paired.

    >>> mask = np.arange(16) < 8
    >>> pool = Pool(labels=np.arange(16) % 2, member=mask, held_out=~mask, validation=np.zeros(16, dtype=bool))
    >>> [(row.name, row.start) for row in Rivals(kind="scratch", repeats=1).rows(pool, np.random.default_rng(0))]
    [('scratch/0/0', 'scratch'), ('scratch/0/1', 'scratch')]
    """

    kind: Literal["scratch", "linear-probe"]
    repeats: int = 3
    folds: int = 0
    most: int = 6
    stream: ClassVar[str] = "splits"

    @property
    def name(self) -> str:
        return self.kind

    @property
    def rounds(self) -> int:
        return self.repeats

    def capped(self, rounds: int) -> Rivals:
        return dataclasses.replace(self, repeats=min(self.repeats, rounds))

    def keeps_weights(self, row: Row) -> bool:
        return row.repeat == 0 and self.kind == "scratch"

    def rows(self, pool: Pool, rng: np.random.Generator) -> Iterator[Row]:
        for row in itertools.islice(Splits(repeats=self.repeats, folds=self.folds).rows(pool, rng), self.most):
            yield dataclasses.replace(
                row,
                design=self.name,
                order=f"{self.name}/{row.repeat}",
                start="scratch" if self.kind == "scratch" else "source",
                transfer="features" if self.kind == "linear-probe" else "recipe",
            )


def _merge(one: Design, other: Design) -> Design:
    changes: dict[str, object] = {}
    for field in dataclasses.fields(one):  # type: ignore[arg-type]  # a Design is a dataclass by contract
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if isinstance(mine, int):
            changes[field.name] = max(mine, theirs)
        elif isinstance(mine, tuple):
            changes[field.name] = tuple(sorted({*mine, *theirs}))
    merged: Design = dataclasses.replace(one, **changes)  # type: ignore[type-var]
    return merged


@dataclass(frozen=True)
class Plan:
    """The replicas that probes need.

    designs  of replicas, one of each name; none by default

    >>> Plan.of(Seeds(replicas=2)) | Plan.of(Seeds(replicas=4), Splits(repeats=1))
    Plan(designs=(Seeds(replicas=4), Splits(repeats=1, folds=0)))
    """

    designs: tuple[Design, ...] = ()

    @classmethod
    def of(cls, *designs: Design) -> Plan:
        return Plan(tuple(designs))

    def __or__(self, other: Plan) -> Plan:
        """The smallest plan that serves both: designs with the same name merge by their maximum."""
        merged: dict[str, Design] = {}
        for design in (*self.designs, *other.designs):
            merged[design.name] = _merge(merged[design.name], design) if design.name in merged else design
        return Plan(tuple(merged[name] for name in sorted(merged)))

    def capped(self, rounds: int) -> Plan:
        """The first rounds of every design."""
        return Plan(tuple(design.capped(rounds) for design in self.designs))

    @classmethod
    def union(cls, plans: Iterator[Plan] | list[Plan] | tuple[Plan, ...]) -> Plan:
        return reduce(lambda one, other: one | other, plans, Plan())
