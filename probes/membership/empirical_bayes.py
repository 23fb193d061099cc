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
   from the mean and the predictions.

All hyperparameters are estimated from replicas only, never from the membership in the audited model's training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import optimize, special

from probes.errors import EvidenceError
from probes.membership.neighbours import Neighbours
from probes.membership.target import Target
from probes.statistics.moderated_t import variance_prior

STRATA, FEWEST_IN_STRATUM = 5, 50
"""Number of groups of samples by difficulty, and the fewest samples in each."""
KNOTS = 25
"""Number of points along φ at which its spread is measured."""
LEAST_SPREAD = 1e-3
"""Smallest spread, relative to the largest: avoids division by zero where models differ by rounding only."""
SMALLEST_PROBABILITY = 1e-30
LARGEST_FIT, ORDERS_FITTED = 200_000, 16
"""Number of stand-in answers that the weights are fitted to, and of orders they are taken from if there are more
answers."""
RIDGE = 1.0
"""Precision of the weights' normal prior about (1, 0, 0, …): with few stand-ins the likelihood ratio dominates."""
ALONE = 3
"""Number of features of a sample's own answer; only they must have a positive weight."""
LEAST_CHANGE = 0.01
"""Smallest effect of training on a sample, relative to the spread."""
RATIOS = (0.05, 20.0)
"""Bounds on the spread of models that trained on a sample, relative to that of the others."""
GROUPS = 5
"""Number of groups of orders; a group's stand-ins are weighted without using that group."""

Phi = Float64[np.ndarray, "replicas samples"]
Kept = Bool[np.ndarray, "replicas samples"]
Order = Int[np.ndarray, " replicas"]
Found = Float64[np.ndarray, "models samples columns"]
Stabiliser = Callable[[Float[np.ndarray, "*axes"]], Float64[np.ndarray, "*axes"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Count, sum and sum of squares of stabilised φ, per side and sample, and of the label's probability: the
    sufficient statistics of the replicas."""

    count: Float64[np.ndarray, "2 samples"]
    one: Float64[np.ndarray, "2 samples"]
    two: Float64[np.ndarray, "2 samples"]
    p: Float64[np.ndarray, " samples"]

    def __sub__(self, own: Sums) -> Sums:
        return Sums(count=self.count - own.count, one=self.one - own.one, two=self.two - own.two, p=self.p - own.p)

    @classmethod
    def of(cls, stable: Phi, log_p: Phi, keep: Kept) -> Sums:
        sides = np.stack([~keep, keep])
        return cls(
            count=sides.sum(axis=1).astype(np.float64),
            one=np.where(sides, stable, 0.0).sum(axis=1),
            two=np.where(sides, stable**2, 0.0).sum(axis=1),
            p=np.exp(log_p).sum(axis=0),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Spread:
    """Inverse-gamma prior of the samples' variances of stabilised φ, by stratum of difficulty, for replicas that did
    not train on the sample; `ratio` is the variance of those that did, in units of it."""

    edges: Float64[np.ndarray, " inner"]
    dof: Float64[np.ndarray, " strata"]
    variance: Float64[np.ndarray, " strata"]
    ratio: float

    def stratum(self, centre: Float64[np.ndarray, " samples"]) -> Int[np.ndarray, " samples"]:
        return np.searchsorted(self.edges, centre, side="right")


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """The effect of training on a sample on stabilised φ: mean and variance over the samples of each stratum."""

    mean: Float64[np.ndarray, " strata"]
    variance: Float64[np.ndarray, " strata"]


def stabiliser(phi: Phi, keep: Kept) -> Stabiliser:
    """The map whose slope at φ is 1 / (spread of models' margins near φ), from both sides of all samples."""
    centres, variances = [], []
    for chosen in (keep, ~keep):
        count = chosen.sum(axis=0)
        there = count >= 2
        mean = np.where(chosen, phi, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = np.where(chosen, phi - mean, 0.0) ** 2
        centres.append(mean[there])
        variances.append(squares.sum(axis=0)[there] / (count[there] - 1))
    centre, variance = np.concatenate(centres), np.concatenate(variances)
    if not len(centre) or not variance.any():
        return lambda x: np.asarray(x, dtype=np.float64)
    parts = np.array_split(np.argsort(centre, kind="stable"), min(KNOTS, max(1, len(centre) // 20)))
    at = np.array([centre[part].mean() for part in parts])
    spread = np.sqrt(np.array([variance[part].mean() for part in parts]))
    spread = np.maximum(spread, LEAST_SPREAD * spread.max())
    reached = np.concatenate([[0.0], np.cumsum(np.diff(at) * (1 / spread[1:] + 1 / spread[:-1]) / 2)])

    def stable(x: Float[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
        wide = np.asarray(x, dtype=np.float64)
        below, above = np.minimum(wide - at[0], 0) / spread[0], np.maximum(wide - at[-1], 0) / spread[-1]
        return np.asarray(np.interp(wide, at, reached) + below + above)

    return stable


def spread_of(sums: Sums) -> Spread:
    """Estimated by moments from all replicas. Raises EvidenceError if no sample has two replicas on a side."""
    free = np.maximum(sums.count - 1, 0)
    if not free.sum(axis=1).all():
        raise EvidenceError("no sample has two replicas on either side.", do="Use at least 2 repeats.")
    squares = _squares(sums)
    pooled = np.maximum(squares.sum(axis=1) / free.sum(axis=1), 1e-12)
    ratio, dof = float(np.clip(pooled[1] / pooled[0], *RATIOS)), free.sum(axis=0)
    variance = (squares[0] + squares[1] / ratio) / np.maximum(dof, 1)
    centre = _centre(sums)
    parts = np.array_split(np.argsort(centre, kind="stable"), max(1, min(STRATA, len(centre) // FEWEST_IN_STRATUM)))
    fitted = [variance_prior(variance[part], float(np.median(dof[part]))) for part in parts]
    return Spread(
        edges=np.array([centre[part[0]] for part in parts[1:]]),
        dof=np.array([d0 for d0, _ in fitted]),
        variance=np.array([s0 for _, s0 in fitted]),
        ratio=ratio,
    )


def change_of(sums: Sums, spread: Spread) -> Change:
    """Estimated by moments. Training on a sample is assumed to raise its margin, at least slightly, so that chance does
    not reverse the attack when nothing leaks."""
    mean = sums.one / sums.count
    change, stratum = mean[1] - mean[0], spread.stratum(_centre(sums))
    error = spread.variance[stratum] * (spread.ratio / sums.count[1] + 1 / sums.count[0])
    least, means, variances = LEAST_CHANGE * np.sqrt(spread.variance), [], []
    for number in range(len(spread.variance)):
        mine = stratum == number if (stratum == number).sum() >= 3 else np.ones(len(change), dtype=bool)
        means.append(max(float(least[number]), float(change[mine].mean())))
        variances.append(max(0.0, float(change[mine].var() - error[mine].mean())))
    return Change(mean=np.array(means), variance=np.array(variances))


def _centre(sums: Sums) -> Float64[np.ndarray, " samples"]:
    return np.asarray(sums.one.sum(axis=0) / sums.count.sum(axis=0))


def _squares(sums: Sums) -> Float64[np.ndarray, "2 samples"]:
    return np.asarray(np.maximum(sums.two - sums.one**2 / np.maximum(sums.count, 1), 0.0))


def features(
    stable: Phi, log_p: Phi, sums: Sums, spread: Spread, change: Change, neighbours: Neighbours | None = None
) -> Found:
    """For each model's answers: the log-ratio of posterior predictive densities, RMIA's log-ratio of the probability to
    its mean, and the distance from the mean over replicas; with `neighbours`, also what they predict of the probability
    of membership and of that distance. `sums` and `change` must exclude these models."""
    total = sums.count.sum(axis=0)
    mean, centre, squares = sums.one / sums.count, _centre(sums), _squares(sums)
    stratum = spread.stratum(centre)
    dof = spread.dof[stratum] + np.maximum(sums.count - 1, 0).sum(axis=0)
    variance = (spread.dof[stratum] * spread.variance[stratum] + squares[0] + squares[1] / spread.ratio) / dof
    error = variance * (spread.ratio / sums.count[1] + 1 / sums.count[0])
    trusted = change.variance[stratum] / np.maximum(change.variance[stratum] + error, 1e-12)
    moved = change.mean[stratum] + trusted * (mean[1] - mean[0] - change.mean[stratum])
    inside = sums.count[1] / total
    unsure, away = trusted * error, stable - centre
    if_in = variance * (spread.ratio + 1 / total) + (1 - inside) ** 2 * unsure
    if_out = variance * (1 + 1 / total) + inside**2 * unsure
    log_ratio = _log_t(away - (1 - inside) * moved, dof, if_in) - _log_t(away + inside * moved, dof, if_out)
    relative = log_p - np.log(np.maximum(sums.p / total, SMALLEST_PROBABILITY))
    alone = [log_ratio, relative, away]
    if neighbours is None:
        return np.stack(alone, axis=-1)
    return np.stack([*alone, neighbours(special.expit(log_ratio) - inside), neighbours(away)], axis=-1)


def _log_t(x: Phi, dof: Float64[np.ndarray, " samples"], variance: Float64[np.ndarray, " samples"]) -> Phi:
    """Log-density of a t distribution with scale² `variance`, up to terms that depend neither on x nor on the
    variance."""
    return np.asarray(-0.5 * np.log(variance) - 0.5 * (dof + 1) * np.log1p(x**2 / (dof * variance)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Coefficients of a logistic regression on features divided by `scale`."""

    scale: Float64[np.ndarray, " columns"]
    weight: Float64[np.ndarray, " columns"]

    def __call__(self, found: Float64[np.ndarray, "*axes columns"]) -> Float64[np.ndarray, "*axes"]:
        return np.asarray(found @ (self.weight / self.scale))


def fit_weights(found: Float64[np.ndarray, "rows columns"], inside: Bool[np.ndarray, " rows"]) -> Weights:
    """Maximum a posteriori estimate; the prior is centred on using the likelihood ratio only."""
    x, y = found, np.where(inside, 1.0, -1.0)
    scale = np.maximum(x.std(axis=0), 1e-12)
    x = np.clip(x / scale, -20, 20)
    columns = x.shape[1]
    first = np.append(scale[0], np.zeros(columns - 1))

    signed = np.ascontiguousarray((y[:, None] * np.column_stack([x, np.ones(len(x))])).T)

    def loss(w: Float64[np.ndarray, " weights"]) -> tuple[float, Float64[np.ndarray, " weights"]]:
        score = w @ signed
        pull = w[:-1] - first
        # log(1 + exp(-score)) and its slope from one exponential, which never overflows.
        decay = np.exp(-np.abs(score))
        value = np.log1p(decay).sum() - np.minimum(score, 0).sum() + RIDGE * (pull @ pull) / 2
        slope = np.where(score < 0, 1.0, decay) / (1 + decay)
        return float(value), np.append(RIDGE * pull, 0.0) - signed @ slope

    bounds = [(0.0, None)] * ALONE + [(None, None)] * (columns + 1 - ALONE)
    best = optimize.minimize(loss, np.append(first, 0.0), jac=True, method="L-BFGS-B", bounds=bounds)
    weight = best.x[:-1] if best.x[:ALONE].any() else first
    return Weights(scale=scale, weight=weight)


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicas:
    """A population with stabilised margins; sums are taken over the requested replicas, excluding a replica's own
    order."""

    stable: Phi
    log_p: Phi
    keep: Kept
    order: Order
    spread: Spread
    neighbours: Neighbours | None

    def sums(self, chosen: Bool[np.ndarray, " replicas"]) -> Sums:
        return Sums.of(self.stable[chosen], self.log_p[chosen], self.keep[chosen])

    def stand_ins(
        self, orders: Int[np.ndarray, " orders"], total: Sums
    ) -> Iterator[tuple[Bool[np.ndarray, " replicas"], Found]]:
        """One of these orders at a time: its rows, and their features computed from the rest of `total`."""
        for own in orders:
            mine = self.order == own
            others = total - self.sums(mine)
            if (others.count < 1).any():
                sample = int(np.argmin(others.count.min(axis=0)))
                raise EvidenceError(
                    f"sample {sample} is never in or never out among replicas of other orders.",
                    do="Use at least 2 repeats.",
                )
            yield mine, self.features(self.stable[mine], self.log_p[mine], others)

    def features(self, stable: Phi, log_p: Phi, sums: Sums) -> Found:
        return features(stable, log_p, sums, self.spread, change_of(sums, self.spread), self.neighbours)

    def weights(self, orders: Int[np.ndarray, " orders"], total: Sums) -> Weights:
        """Weights fitted to the replicas of these orders as stand-ins attacking each other; `total` is their sums."""
        if len(orders) < 2:
            columns = ALONE if self.neighbours is None else ALONE + 2
            return Weights(scale=np.ones(columns), weight=np.eye(columns)[0])
        samples, rows = self.keep.shape[1], int(np.isin(self.order, orders).sum())
        if rows * samples > LARGEST_FIT:
            orders = orders[np.unique(np.linspace(0, len(orders) - 1, ORDERS_FITTED).astype(np.int64))]
            rows = int(np.isin(self.order, orders).sum())
        thin = slice(None, None, max(1, -(-rows * samples // LARGEST_FIT)))
        found, inside = [], []
        for mine, each in self.stand_ins(orders, total):
            found.append(each[:, thin].reshape(-1, each.shape[-1]))
            inside.append(self.keep[mine][:, thin].reshape(-1))
        return fit_weights(np.concatenate(found), np.concatenate(inside))


def replicas_of(
    phi: Float[np.ndarray, "replicas samples"],
    log_p: Float[np.ndarray, "replicas samples"],
    keep: Kept,
    order: Order,
    neighbours: Neighbours | None = None,
) -> tuple[Replicas, Stabiliser, Sums]:
    """The replicas, the map that stabilised their margins, and their sums.

    Raises EvidenceError if a sample is never in, or never out, among the replicas.
    """
    wide = phi.astype(np.float64)
    stable = stabiliser(wide, keep)
    mapped = stable(wide)
    log_p = log_p.astype(np.float64)
    total = Sums.of(mapped, log_p, keep)
    spread = spread_of(total)
    found = Replicas(stable=mapped, log_p=log_p, keep=keep, order=order, spread=spread, neighbours=neighbours)
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
    replicas, stable, total = replicas_of(phi_replicas, log_p_replicas, keep, order, neighbours)
    own = replicas.features(stable(phi)[None], log_p.astype(np.float64)[None], total)
    return np.asarray(replicas.weights(np.unique(order), total)(own)[0])


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
    orders = np.unique(order)
    scores = np.empty(keep.shape)
    for group in range(min(GROUPS, len(orders))):
        own = orders[group::GROUPS]
        weights = replicas.weights(np.setdiff1d(orders, own), total - replicas.sums(np.isin(order, own)))
        for mine, found in replicas.stand_ins(own, total):
            scores[mine] = weights(found)
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
