"""Which replicas a probe needs: designs are boolean masks over one pool, and a plan is a union of designs.

A replica is the audited model's recipe, run again from the same source weights on another subset of the pool.
The union of two plans is their maximum, not their sum: no replica is trained twice for the same row.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int

from probes.errors import EvidenceError
from probes.pool import Pool as Pool
from probes.pool import first_of, folds_of, ranks, stretches

Start = Literal["source", "scratch"]
Transfer = Literal["recipe", "features"]


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
            fold_of = stretches(pool, k, rng) if in_time else folds_of(pool, k, rng)
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
            rank = ranks(pool, rng)
            for position, share in enumerate(self.shares):
                size = min(max(1, round(share * members)), len(pool.indices) - 1)
                keep = np.zeros(len(pool.labels), dtype=bool)
                keep[pool.indices[first_of(pool, size, rank)]] = True
                yield Row(design=self.name, repeat=repeat, fold=position, order=f"{self.name}/{repeat}", keep=keep)


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
