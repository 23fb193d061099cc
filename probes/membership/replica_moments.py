"""The moments of replicas' stabilised margins: sums by side and sample, and what they tell of the spread of models and
of the effect of training on a sample, across the samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.errors import EvidenceError
from probes.statistics.moderated_t import variance_priors

STRATA, FEWEST_IN_STRATUM = 5, 50
"""Number of groups of samples by difficulty, and the fewest samples in each."""
LEAST_CHANGE = 0.01
"""Smallest effect of training on a sample, relative to the spread."""
RATIOS = (0.05, 20.0)
"""Bounds on the spread of models that trained on a sample, relative to that of the others."""
AT_ONCE = 2**13
"""Number of answers that are computed together: so few that arrays of them stay in the processor's cache, and that
memory is not asked of the system for each (glibc does from 128 KiB)."""

Phi = Float64[np.ndarray, "replicas samples"]
Answered = Float[np.ndarray, "replicas samples"]
Kept = Bool[np.ndarray, "replicas samples"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Count, sum and sum of squares of stabilised φ, per side and sample, and sum of the label's probability: the
    sufficient statistics of sets of replicas."""

    count: Float64[np.ndarray, "sets 2 samples"]
    one: Float64[np.ndarray, "sets 2 samples"]
    two: Float64[np.ndarray, "sets 2 samples"]
    p: Float64[np.ndarray, "sets samples"]

    def __sub__(self, own: Moments) -> Moments:
        return Moments(count=self.count - own.count, one=self.one - own.one, two=self.two - own.two, p=self.p - own.p)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            count=self.count + other.count, one=self.one + other.one, two=self.two + other.two, p=self.p + other.p
        )

    @classmethod
    def of(cls, stable: Phi, log_p: Answered, keep: Kept, starts: Int[np.ndarray, " sets"]) -> Moments:
        """Each set consists of the rows from its start to the next one's."""
        # Half of the products: what is outside is the rest of all.
        inside = keep.astype(np.float64)
        within = inside * stable
        size = np.diff(starts, append=len(keep)).astype(np.float64)[:, None]
        both = [
            (size, _totals(inside, starts)),
            (_totals(stable, starts), _totals(within, starts)),
            (_totals(stable * stable, starts), _totals(within * stable, starts)),
        ]
        moments = [np.stack([every - mine, mine], axis=1) for every, mine in both]
        return cls(
            count=moments[0], one=moments[1], two=moments[2], p=_totals(np.exp(log_p).astype(np.float64), starts)
        )

    def together(self) -> Moments:
        """One set of all."""
        return Moments(**{name: value.sum(axis=0, keepdims=True) for name, value in vars(self).items()})

    @property
    def centre(self) -> Float64[np.ndarray, "sets samples"]:
        return np.asarray(self.one.sum(axis=1) / self.count.sum(axis=1))

    @property
    def squares(self) -> Float64[np.ndarray, "sets 2 samples"]:
        return np.asarray(np.maximum(self.two - self.one**2 / np.maximum(self.count, 1), 0.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """Inverse-gamma prior of the samples' variances of stabilised φ, by stratum of difficulty, for replicas that did
    not train on the sample; `ratio` is the variance of those that did, in units of it."""

    stratum: Int[np.ndarray, " samples"]
    dof: Float64[np.ndarray, " strata"]
    variance: Float64[np.ndarray, " strata"]
    ratio: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The effect of training on a sample on stabilised φ: mean and variance over the samples of each stratum."""

    mean: Float64[np.ndarray, "sets strata"]
    variance: Float64[np.ndarray, "sets strata"]


def spread_of(sums: Moments) -> Spread:
    """Estimated by moments from all replicas, the only set of `sums`. Raises EvidenceError if no sample has two
    replicas on a side."""
    free = np.maximum(sums.count[0] - 1, 0)
    if not free.sum(axis=1).all():
        raise EvidenceError("no sample has two replicas on either side.", do="Use at least 2 repeats.")
    squares = sums.squares[0]
    pooled = np.maximum(squares.sum(axis=1) / free.sum(axis=1), 1e-12)
    ratio, dof = float(np.clip(pooled[1] / pooled[0], *RATIOS)), free.sum(axis=0)
    variance = (squares[0] + squares[1] / ratio) / np.maximum(dof, 1)
    centre = sums.centre[0]
    starts = starts_of(len(centre), max(1, min(STRATA, len(centre) // FEWEST_IN_STRATUM)))
    order, stratum = np.argsort(centre, kind="stable"), np.empty(len(centre), dtype=np.int64)
    stratum[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(centre)))
    d0, s0 = variance_priors(variance[order], float(np.median(dof)), starts)
    return Spread(stratum=stratum, dof=d0, variance=s0, ratio=ratio)


def change_of(sums: Moments, spread: Spread) -> Change:
    """Estimated by moments. Training on a sample is assumed to raise its margin, at least slightly, so that chance does
    not reverse the attack when nothing leaks."""
    each = spread.stratum[:, None] == np.arange(len(spread.variance))
    share = each / each.sum(axis=0)
    change = sums.one[:, 1] / sums.count[:, 1] - sums.one[:, 0] / sums.count[:, 0]
    centre = change @ share
    apart = (change - centre[:, spread.stratum]) ** 2 @ share
    error = ((spread.ratio / sums.count[:, 1] + 1 / sums.count[:, 0]) @ share) * spread.variance
    least = LEAST_CHANGE * np.sqrt(spread.variance)
    return Change(mean=np.maximum(least, centre), variance=np.maximum(apart - error, 0.0))


def blocks(samples: int, replicas: int) -> Iterator[slice]:
    """Slices of at most AT_ONCE answers, or of one sample."""
    step = max(1, AT_ONCE // replicas)
    return (slice(start, start + step) for start in range(0, samples, step))


def starts_of(count: int, parts_of: int) -> Int[np.ndarray, " parts"]:
    """Where parts of nearly equal lengths start."""
    return np.arange(parts_of) * count // parts_of


def _totals(values: Phi, starts: Int[np.ndarray, " sets"]) -> Float64[np.ndarray, "sets samples"]:
    """Moments of the rows of each set."""
    size = len(values) // len(starts)
    if size * len(starts) == len(values) and (starts == size * np.arange(len(starts))).all():
        return np.asarray(values.reshape(len(starts), size, -1).sum(axis=1))
    return np.asarray(np.add.reduceat(values, starts, axis=0))
