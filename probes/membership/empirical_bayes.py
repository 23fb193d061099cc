"""The empirical-Bayes attack: LiRA with few replicas, combined with RMIA by weights learned from the replicas.

LiRA, RMIA and BASE are one family (BaVarIA, arXiv 2603.11799): each compares the margin φ with the margins expected of
models that did, or did not, train on the sample, and they differ in what they assume when there are few replicas. Here
those quantities are estimated across samples instead of assumed:

1. φ is transformed so that the spread between models does not depend on φ (variance-stabilising, Bartlett 1936).
2. Each sample's variance is shrunk towards that of the others (inverse gamma), as is the effect of training on it,
   within groups of samples of similar difficulty; the score is the log-ratio of the two posterior predictive t
   densities.
3. Where features of the samples are known, similar samples of the class predict the membership and the distance from
   the mean (`neighbours`).
4. A logistic regression on stand-ins, whose training samples are known, weighs that score, RMIA's ratio, the distance
   from the mean and the predictions (`stand_in_weights`).

All hyperparameters are estimated from replicas only, never from the membership in the audited model's training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import special

from probes.errors import EvidenceError
from probes.large_arrays import empty, parts, taken
from probes.membership.neighbours import Neighbours
from probes.membership.stand_in_weights import Weights, fit_weights
from probes.membership.target import Target
from probes.statistics.moderated_t import variance_prior

STRATA, FEWEST_IN_STRATUM = 5, 50
"""Number of groups of samples by difficulty, and the fewest samples in each."""
KNOTS = 25
"""Number of points along φ at which its spread is measured."""
LEAST_SPREAD = 1e-3
"""Smallest spread, relative to the largest: avoids division by zero where models differ by rounding only."""
SMALLEST_PROBABILITY = 1e-30
LARGEST_FIT, FEWEST_FITTED = 2**14, 5
"""Number of stand-in answers that the weights are fitted to, and the fewest orders they are taken from: more change no
AUC of docs/membership.md by more than 0.0002."""
ALONE = 3
"""Number of features of a sample's own answer; only they must have a positive weight."""
LEAST_CHANGE = 0.01
"""Smallest effect of training on a sample, relative to the spread."""
RATIOS = (0.05, 20.0)
"""Bounds on the spread of models that trained on a sample, relative to that of the others."""
GROUPS = 5
"""Number of groups of orders; a group's stand-ins are weighted without using that group."""
AT_ONCE = 2**16
"""Number of answers that are computed together: few enough for the processor's cache."""

Phi = Float64[np.ndarray, "replicas samples"]
Answered = Float[np.ndarray, "replicas samples"]
Kept = Bool[np.ndarray, "replicas samples"]
Order = Int[np.ndarray, " replicas"]
Rows = Int[np.ndarray, " rows"]
Found = Float64[np.ndarray, "columns models chosen"]
Stabiliser = Callable[[Float[np.ndarray, "*axes"]], Float64[np.ndarray, "*axes"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Count, sum and sum of squares of stabilised φ, per side and sample, and sum of the label's probability: the
    sufficient statistics of sets of replicas."""

    count: Float64[np.ndarray, "sets 2 samples"]
    one: Float64[np.ndarray, "sets 2 samples"]
    two: Float64[np.ndarray, "sets 2 samples"]
    p: Float64[np.ndarray, "sets samples"]

    def __sub__(self, own: Sums) -> Sums:
        return Sums(count=self.count - own.count, one=self.one - own.one, two=self.two - own.two, p=self.p - own.p)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            count=self.count + other.count, one=self.one + other.one, two=self.two + other.two, p=self.p + other.p
        )

    @classmethod
    def of(cls, stable: Phi, log_p: Answered, keep: Kept, starts: Int[np.ndarray, " sets"]) -> Sums:
        """Each set consists of the rows from its start to the next one's."""

        def total(values: Phi) -> Float64[np.ndarray, "sets samples"]:
            return np.asarray(np.add.reduceat(values, starts, axis=0))

        inside = keep.astype(np.float64)
        sides = (1 - inside, inside)
        moments = [np.stack([total(side * power) for side in sides], axis=1) for power in (1.0, stable, stable**2)]
        return cls(count=moments[0], one=moments[1], two=moments[2], p=total(np.exp(log_p.astype(np.float64))))

    def together(self) -> Sums:
        """One set of all."""
        return Sums(**{name: value.sum(axis=0, keepdims=True) for name, value in vars(self).items()})

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

    edges: Float64[np.ndarray, " inner"]
    dof: Float64[np.ndarray, " strata"]
    variance: Float64[np.ndarray, " strata"]
    ratio: float

    def stratum(self, centre: Float64[np.ndarray, "sets samples"]) -> Int[np.ndarray, "sets samples"]:
        return np.asarray(sum((centre >= edge for edge in self.edges), np.zeros(centre.shape, dtype=np.int64)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The effect of training on a sample on stabilised φ: mean and variance over the samples of each stratum."""

    mean: Float64[np.ndarray, "sets strata"]
    variance: Float64[np.ndarray, "sets strata"]


def stabiliser(phi: Answered, keep: Kept) -> Stabiliser:
    """The map whose slope at φ is 1 / (spread of models' margins near φ), from both sides of all samples."""
    centres, variances = [], []
    for side in (True, False):
        for part in parts(phi.shape[1], len(phi)):
            chosen, wide = keep[:, part] == side, phi[:, part].astype(np.float64)
            count = chosen.sum(axis=0)
            there = count >= 2
            mean = (wide * chosen).sum(axis=0) / np.maximum(count, 1)
            squares = (wide - mean) ** 2 * chosen
            centres.append(mean[there])
            variances.append(squares.sum(axis=0)[there] / (count[there] - 1))
    centre, variance = np.concatenate(centres), np.concatenate(variances)
    if not len(centre) or not variance.any():
        return lambda x: np.asarray(x, dtype=np.float64)
    near = np.array_split(np.argsort(centre, kind="stable"), min(KNOTS, max(1, len(centre) // 20)))
    at = np.array([centre[some].mean() for some in near])
    spread = np.sqrt(np.array([variance[some].mean() for some in near]))
    spread = np.maximum(spread, LEAST_SPREAD * spread.max())
    reached = np.concatenate([[0.0], np.cumsum(np.diff(at) * (1 / spread[1:] + 1 / spread[:-1]) / 2)])

    def stable(x: Float[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
        wide = np.asarray(x, dtype=np.float64)
        below, above = np.minimum(wide - at[0], 0) / spread[0], np.maximum(wide - at[-1], 0) / spread[-1]
        return np.asarray(np.interp(wide, at, reached) + below + above)

    return stable


def spread_of(sums: Sums) -> Spread:
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
    strata = np.array_split(np.argsort(centre, kind="stable"), max(1, min(STRATA, len(centre) // FEWEST_IN_STRATUM)))
    fitted = [variance_prior(variance[some], float(np.median(dof[some]))) for some in strata]
    return Spread(
        edges=np.array([centre[some[0]] for some in strata[1:]]),
        dof=np.array([d0 for d0, _ in fitted]),
        variance=np.array([s0 for _, s0 in fitted]),
        ratio=ratio,
    )


def change_of(sums: Sums, spread: Spread) -> Change:
    """Estimated by moments. Training on a sample is assumed to raise its margin, at least slightly, so that chance does
    not reverse the attack when nothing leaks. A stratum of fewer than 3 samples takes those of all."""
    change = sums.one[:, 1] / sums.count[:, 1] - sums.one[:, 0] / sums.count[:, 0]
    stratum, strata = spread.stratum(sums.centre), len(spread.variance)
    cell = stratum + strata * np.arange(len(change))[:, None]
    count = np.bincount(cell.ravel(), minlength=len(change) * strata).reshape(-1, strata)
    few = count < 3

    def mean(values: Float64[np.ndarray, "sets samples"]) -> Float64[np.ndarray, "sets strata"]:
        total = np.bincount(cell.ravel(), weights=values.ravel(), minlength=len(change) * strata).reshape(-1, strata)
        return np.where(few, values.mean(axis=1, keepdims=True), total / np.maximum(count, 1))

    least = LEAST_CHANGE * np.sqrt(spread.variance)
    centre = mean(change)
    apart = mean((change - np.take_along_axis(centre, stratum, axis=1)) ** 2)
    if few.any():
        apart = np.where(few, change.var(axis=1, keepdims=True), apart)
    error = mean(spread.variance[stratum] * (spread.ratio / sums.count[:, 1] + 1 / sums.count[:, 0]))
    return Change(mean=np.maximum(least, centre), variance=np.maximum(apart - error, 0.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What sets of replicas expect of another model's answers: the two posterior predictive t densities of stabilised
    φ, by their location, their common degrees of freedom and dof · scale², and log mean probability."""

    inside: Float64[np.ndarray, "sets samples"]
    centre: Float64[np.ndarray, "sets samples"]
    if_in: Float64[np.ndarray, "sets samples"]
    if_out: Float64[np.ndarray, "sets samples"]
    dof: Float64[np.ndarray, "sets samples"]
    spread_in: Float64[np.ndarray, "sets samples"]
    spread_out: Float64[np.ndarray, "sets samples"]
    log_p: Float64[np.ndarray, "sets samples"]

    @classmethod
    def by(cls, sums: Sums, spread: Spread) -> Expected:
        change, centre, squares = change_of(sums, spread), sums.centre, sums.squares
        total, stratum = sums.count.sum(axis=1), spread.stratum(centre)
        dof = spread.dof[stratum] + np.maximum(sums.count - 1, 0).sum(axis=1)
        known = (spread.dof * spread.variance)[stratum]
        variance = (known + squares[:, 0] + squares[:, 1] / spread.ratio) / dof
        error = variance * (spread.ratio / sums.count[:, 1] + 1 / sums.count[:, 0])
        between = np.take_along_axis(change.variance, stratum, axis=1)
        trusted = between / np.maximum(between + error, 1e-12)
        usual = np.take_along_axis(change.mean, stratum, axis=1)
        mean = sums.one / sums.count
        moved = usual + trusted * (mean[:, 1] - mean[:, 0] - usual)
        inside, unsure = sums.count[:, 1] / total, trusted * error
        return cls(
            inside=inside,
            centre=centre,
            if_in=(1 - inside) * moved,
            if_out=-inside * moved,
            dof=dof,
            spread_in=dof * (variance * (spread.ratio + 1 / total) + (1 - inside) ** 2 * unsure),
            spread_out=dof * (variance * (1 + 1 / total) + inside**2 * unsure),
            log_p=np.log(np.maximum(sums.p / total, SMALLEST_PROBABILITY)),
        )

    def features(
        self, stable: Phi, log_p: Answered, by: Rows, neighbours: Neighbours | None = None, thin: int = 1
    ) -> Found:
        """For each model's answers: the log-ratio of posterior predictive densities, RMIA's log-ratio of the
        probability to its mean, and the distance from the mean over replicas; with `neighbours`, also what they predict
        of the probability of membership and of that distance.

        by    the set of replicas that attacks each model; the model must not be in it
        thin  features of every such sample only: the axis `chosen`
        """
        away = stable - self.centre[by]
        spread_in, spread_out, dof = self.spread_in[by], self.spread_out[by], self.dof[by]
        # The log-ratio of two t densities by one logarithm of each model's answer.
        apart_in = 1 + (away - self.if_in[by]) ** 2 / spread_in
        apart_out = 1 + (away - self.if_out[by]) ** 2 / spread_out
        log_ratio = 0.5 * (dof + 1) * np.log(apart_out / apart_in)
        log_ratio += (0.5 * np.log(self.spread_out / self.spread_in))[by]
        alone = [log_ratio, log_p - self.log_p[by], away]
        found = np.stack([column[:, ::thin] for column in alone])
        if neighbours is None:
            return found
        told = neighbours(np.concatenate([special.expit(log_ratio) - self.inside[by], away]), thin)
        return np.concatenate([found, told.reshape(2, *found.shape[1:])])


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicas:
    """A population with stabilised margins; its rows are sorted by order."""

    stable: Phi
    log_p: Answered
    keep: Kept
    order: Order
    spread: Spread
    neighbours: Neighbours | None

    def sums(self, orders: Int[np.ndarray, " orders"]) -> Sums:
        """One set: all replicas of these orders."""
        first, *others = (each.together() for _, _, each in self._by_order(orders))
        return sum(others, start=first)

    def _by_order(self, orders: Int[np.ndarray, " orders"]) -> Iterator[tuple[Rows, Rows, Sums]]:
        """A few orders at a time: their rows, each row's set, and a set of sums per order."""
        first, last = (np.searchsorted(self.order, orders, side=side) for side in ("left", "right"))
        size = last - first
        answers = int(size.sum()) * self.keep.shape[1]
        for few in np.array_split(np.arange(len(orders)), int(np.clip(-(-answers // AT_ONCE), 1, len(orders)))):
            starts = np.cumsum(size[few]) - size[few]
            by = np.repeat(np.arange(len(few)), size[few])
            rows = np.arange(len(by)) + (first[few] - starts)[by]
            yield rows, by, Sums.of(self.stable[rows], self.log_p[rows], self.keep[rows], starts)

    def stand_ins(self, orders: Int[np.ndarray, " orders"], total: Sums, thin: int = 1) -> Iterator[tuple[Rows, Found]]:
        """A few of these orders at a time: their rows, and their features computed from the rest of `total`."""
        for rows, by, own in self._by_order(orders):
            others = total - own
            if (others.count < 1).any():
                sample = int(np.argmin(others.count.min(axis=(0, 1))))
                raise EvidenceError(
                    f"sample {sample} is never in or never out among replicas of other orders.",
                    do="Use at least 2 repeats.",
                )
            expected = Expected.by(others, self.spread)
            yield rows, expected.features(self.stable[rows], self.log_p[rows], by, self.neighbours, thin)

    def weights(self, orders: Int[np.ndarray, " orders"], total: Sums) -> Weights:
        """Weights fitted to the replicas of these orders as stand-ins attacking each other; `total` is their sums."""
        if len(orders) < 2:
            return Weights.of_first(ALONE if self.neighbours is None else ALONE + 2)
        answers = int(np.isin(self.order, orders).sum()) * self.keep.shape[1]
        fitted = max(FEWEST_FITTED, len(orders) * LARGEST_FIT // answers)
        if fitted < len(orders):
            answers = answers * fitted // len(orders)
            orders = orders[np.linspace(0, len(orders) - 1, fitted).astype(np.int64)]
        thin = max(1, -(-answers // LARGEST_FIT))
        found, inside = [], []
        for mine, each in self.stand_ins(orders, total, thin):
            found.append(each.reshape(len(each), -1))
            inside.append(self.keep[mine, ::thin].ravel())
        return fit_weights(np.concatenate(found, axis=1), np.concatenate(inside), positive=ALONE)


@dataclass(frozen=True, kw_only=True, eq=False)
class EmpiricalBayes:
    """The attack, fitted to replicas: what they expect of another model's answers, and the weights of its features."""

    stable: Stabiliser
    expected: Expected
    weights: Weights
    neighbours: Neighbours | None

    @classmethod
    def of(
        cls,
        phi: Float[np.ndarray, "replicas samples"],
        log_p: Float[np.ndarray, "replicas samples"],
        keep: Kept,
        order: Order,
        neighbours: Neighbours | None = None,
    ) -> EmpiricalBayes:
        """Fitted once for all models that these replicas attack; the parameters are those of
        `empirical_bayes_scores`."""
        replicas, stable, total = replicas_of(phi, log_p, keep, order, neighbours)
        weights = replicas.weights(np.unique(order), total)
        return cls(stable=stable, expected=Expected.by(total, replicas.spread), weights=weights, neighbours=neighbours)

    def __call__(
        self, phi: Float[np.ndarray, "models samples"], log_p: Float[np.ndarray, "models samples"]
    ) -> Float64[np.ndarray, "models samples"]:
        """Scores of models that are not among the replicas; higher = more likely a member."""
        by = np.zeros(len(phi), dtype=np.int64)
        return self.weights(self.expected.features(self.stable(phi), log_p.astype(np.float64), by, self.neighbours))


def replicas_of(
    phi: Float[np.ndarray, "replicas samples"],
    log_p: Float[np.ndarray, "replicas samples"],
    keep: Kept,
    order: Order,
    neighbours: Neighbours | None = None,
) -> tuple[Replicas, Stabiliser, Sums]:
    """The replicas, sorted by order, the map that stabilised their margins, and the sums of all.

    Raises EvidenceError if a sample is never in, or never out, among the replicas.
    """
    rows = np.argsort(order, kind="stable")
    phi, log_p, keep = (taken(one, rows) for one in (phi, log_p, keep))
    stable, mapped = stabiliser(phi, keep), empty(phi.shape, np.float64)
    summed = []
    for part in parts(phi.shape[1], len(phi)):
        mapped[:, part] = stable(phi[:, part])
        summed.append(Sums.of(mapped[:, part], log_p[:, part], keep[:, part], np.zeros(1, dtype=np.int64)))
    total = Sums(**{name: np.concatenate([vars(one)[name] for one in summed], axis=-1) for name in vars(summed[0])})
    spread = spread_of(total)
    found = Replicas(stable=mapped, log_p=log_p, keep=keep, order=order[rows], spread=spread, neighbours=neighbours)
    return found, stable, total


def empirical_bayes_scores(
    phi: Float[np.ndarray, " samples"],
    log_p: Float[np.ndarray, " samples"],
    phi_replicas: Float[np.ndarray, "replicas samples"],
    log_p_replicas: Float[np.ndarray, "replicas samples"],
    keep: Kept,
    order: Order,
    neighbours: Neighbours | None = None,
) -> Float64[np.ndarray, " samples"]:
    """Scores of a model that is not one of the replicas; higher = more likely a member. Learning the weights, and so
    using `neighbours`, requires at least two orders, and two replicas on a side of some sample.

    Raises EvidenceError if a sample is never in, or never out.

    >>> rng = np.random.default_rng(0)
    >>> keep = np.arange(8)[:, None] % 2 == np.arange(400) % 2
    >>> phi = 2 * keep + rng.normal(size=400) + rng.normal(size=(8, 400))
    >>> log_p = -np.log1p(np.exp(-phi))
    >>> scores = empirical_bayes_scores(phi[0], log_p[0], phi[2:], log_p[2:], keep[2:], np.arange(6) // 2)
    >>> bool(scores[keep[0]].mean() > scores[~keep[0]].mean())
    True
    """
    attack = EmpiricalBayes.of(phi_replicas, log_p_replicas, keep, order, neighbours)
    return np.asarray(attack(phi[None], log_p[None])[0])


def empirical_bayes_stand_in_scores(
    phi: Float[np.ndarray, "replicas samples"],
    log_p: Float[np.ndarray, "replicas samples"],
    keep: Kept,
    order: Order,
    neighbours: Neighbours | None = None,
) -> Float64[np.ndarray, "replicas samples"]:
    """Scores of each replica against the replicas of other orders: O(replicas × samples), times the samples of a block
    with `neighbours`.

    Each group of orders is scored with weights learned from the other groups attacking each other: a chance pattern
    between two orders appears in both directions, so weights that had seen it would mistake it for leakage. Raises
    EvidenceError if a sample is never in, or never out, among the other orders.
    """
    replicas, _, total = replicas_of(phi, log_p, keep, order, neighbours)
    orders, given = np.unique(order), np.argsort(order, kind="stable")
    scores = empty(keep.shape, np.float64)
    for group in range(min(GROUPS, len(orders))):
        own = orders[group::GROUPS]
        weights = replicas.weights(np.setdiff1d(orders, own), total - replicas.sums(own))
        for mine, found in replicas.stand_ins(own, total):
            scores[given[mine]] = weights(found)
    return scores


def empirical_bayes(target: Target) -> Float64[np.ndarray, " samples"] | None:
    """The log-odds of membership by the empirical-Bayes attack, with weights learned from the replicas (this module;
    after BaVarIA, arXiv 2603.11799).

    target  the margins and label probabilities of the model and of its replicas, the replicas' orders, and neighbours

    Returns a score for each sample, higher for members, in nats; None unless every sample has replicas on both sides
    and some sample two on one.

    >>> from probes.membership.example import reached
    >>> reached(empirical_bayes)
    0.89
    """
    if not target.in_and_out or target.order is None or len(target.keep) < 3:
        return None
    answers, replicas = target.answers, target.replicas
    return empirical_bayes_scores(
        answers.margin[0],
        answers.log_prob[0],
        replicas.margin,
        replicas.log_prob,
        target.keep,
        target.order,
        target.neighbours,
    )
