"""The empirical-Bayes attack: LiRA with few replicas, combined with RMIA by weights learned from the replicas.

LiRA, RMIA and BASE are one family (BaVarIA, arXiv 2603.11799): each compares the margin φ with the margins expected of
models that did, or did not, train on the sample, and they differ in what they assume when there are few replicas. Here
those quantities are estimated across samples instead of assumed:

1. φ is transformed so that the spread between models does not depend on φ (variance-stabilising, Bartlett 1936).
2. Each sample's variance is shrunk towards that of the others (inverse gamma), as is the effect of training on it,
   within groups of samples of similar difficulty; the score is the log-ratio of the two posterior predictive t
   densities.
3. A logistic regression on stand-ins, whose training samples are known, weighs that score, RMIA's ratio and the
   distance from the mean.

All hyperparameters are estimated from replicas only, never from the membership in the audited model's training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy import optimize, special

from probes.errors import EvidenceError
from probes.membership.target import Target
from probes.statistics.moderated_t import variance_prior

STRATA, FEWEST_IN_STRATUM = 5, 50
"""Number of groups of samples by difficulty, and the fewest samples in each."""
KNOTS = 25
"""Number of points along φ at which its spread is measured."""
LEAST_SPREAD = 1e-3
"""Smallest spread, relative to the largest: avoids division by zero where models differ by rounding only."""
SMALLEST_PROBABILITY = 1e-30
LARGEST_FIT = 200_000
"""Number of stand-in answers that the weights are fitted to."""
RIDGE = 1.0
"""Precision of the weights' normal prior about (1, 0, 0): with few stand-ins the likelihood ratio dominates."""
LEAST_CHANGE = 0.01
"""Smallest effect of training on a sample, relative to the spread."""
RATIOS = (0.05, 20.0)
"""Bounds on the spread of models that trained on a sample, relative to that of the others."""
GROUPS = 5
"""Number of groups of orders; a group's stand-ins are weighted without using that group."""

Phi = Float64[np.ndarray, "replicas samples"]
Kept = Bool[np.ndarray, "replicas samples"]
Order = Int[np.ndarray, " replicas"]
Found = Float64[np.ndarray, "models samples 3"]
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


def features(stable: Phi, log_p: Phi, sums: Sums, spread: Spread, change: Change) -> Float64[np.ndarray, "models n 3"]:
    """For each model's answers: the log-ratio of posterior predictive densities, RMIA's log-ratio of the probability to
    its mean, and the distance from the mean over replicas. `sums` and `change` must exclude these models."""
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
    return np.stack([log_ratio, relative, away], axis=-1)


def _log_t(x: Phi, dof: Float64[np.ndarray, " samples"], variance: Float64[np.ndarray, " samples"]) -> Phi:
    """Log-density of a t distribution with scale² `variance`, up to terms that depend neither on x nor on the
    variance."""
    return np.asarray(-0.5 * np.log(variance) - 0.5 * (dof + 1) * np.log1p(x**2 / (dof * variance)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """Coefficients of a logistic regression on features divided by `scale`."""

    scale: Float64[np.ndarray, " 3"]
    weight: Float64[np.ndarray, " 3"]

    def __call__(self, found: Float64[np.ndarray, "*axes 3"]) -> Float64[np.ndarray, "*axes"]:
        return np.asarray(found @ (self.weight / self.scale))


def fit_weights(found: Float64[np.ndarray, "rows 3"], inside: Bool[np.ndarray, " rows"]) -> Weights:
    """Maximum a posteriori estimate; the prior is centred on using the likelihood ratio only."""
    x, y = found, np.where(inside, 1.0, -1.0)
    scale = np.maximum(x.std(axis=0), 1e-12)
    x = np.clip(x / scale, -20, 20)
    first = np.array([scale[0], 0.0, 0.0])

    def loss(w: Float64[np.ndarray, " 4"]) -> tuple[float, Float64[np.ndarray, " 4"]]:
        score = y * (x @ w[:3] + w[3])
        pull = w[:3] - first
        slope = -y * special.expit(-score)
        gradient = np.append(x.T @ slope + RIDGE * pull, slope.sum())
        return float(np.logaddexp(0, -score).sum() + RIDGE * (pull @ pull) / 2), gradient

    bounds = [(0.0, None)] * 3 + [(None, None)]
    best = optimize.minimize(loss, np.append(first, 0.0), jac=True, method="L-BFGS-B", bounds=bounds)
    weight = best.x[:3] if best.x[:3].any() else first
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

    def sums(self, chosen: Bool[np.ndarray, " replicas"]) -> Sums:
        return Sums.of(self.stable[chosen], self.log_p[chosen], self.keep[chosen])

    def on(self, samples: slice) -> Replicas:
        return dataclasses.replace(
            self, stable=self.stable[:, samples], log_p=self.log_p[:, samples], keep=self.keep[:, samples]
        )

    def stand_ins(self, among: Bool[np.ndarray, " replicas"]) -> Iterator[tuple[Bool[np.ndarray, " replicas"], Found]]:
        """One order at a time: its rows, and their features computed from the other orders of `among`."""
        total = self.sums(among)
        for own in np.unique(self.order[among]):
            mine = self.order == own
            others = total - self.sums(mine)
            if (others.count < 1).any():
                sample = int(np.argmin(others.count.min(axis=0)))
                raise EvidenceError(
                    f"sample {sample} is never in or never out among replicas of other orders.",
                    do="Use at least 2 repeats.",
                )
            change = change_of(others, self.spread)
            yield mine, features(self.stable[mine], self.log_p[mine], others, self.spread, change)

    def weights(self, among: Bool[np.ndarray, " replicas"]) -> Weights:
        """Weights fitted to these replicas as stand-ins attacking each other."""
        if len(np.unique(self.order[among])) < 2:
            return Weights(scale=np.ones(3), weight=np.array([1.0, 0.0, 0.0]))
        thin = self.on(slice(None, None, max(1, -(-int(among.sum()) * self.keep.shape[1] // LARGEST_FIT))))
        rows = [(found.reshape(-1, 3), thin.keep[mine].reshape(-1)) for mine, found in thin.stand_ins(among)]
        return fit_weights(np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows]))


def replicas_of(
    phi: Float[np.ndarray, "replicas samples"], log_p: Float[np.ndarray, "replicas samples"], keep: Kept, order: Order
) -> tuple[Replicas, Stabiliser]:
    """Raises EvidenceError if a sample is never in, or never out, among the replicas."""
    wide = phi.astype(np.float64)
    stable = stabiliser(wide, keep)
    mapped = stable(wide)
    everywhere = np.ones(len(wide), dtype=bool)
    log_p = log_p.astype(np.float64)
    spread = spread_of(Sums.of(mapped[everywhere], log_p, keep))
    return Replicas(stable=mapped, log_p=log_p, keep=keep, order=order, spread=spread), stable


def empirical_bayes_scores(
    phi: Float[np.ndarray, " samples"],
    log_p: Float[np.ndarray, " samples"],
    phi_replicas: Float[np.ndarray, "replicas samples"],
    log_p_replicas: Float[np.ndarray, "replicas samples"],
    keep: Kept,
    order: Order,
) -> Float64[np.ndarray, " samples"]:
    """Scores of a model that is not one of the replicas; higher = more likely a member. Learning the weights requires
    at least two orders, and two replicas on a side of some sample.

    Raises EvidenceError if a sample is never in, or never out.

    >>> rng = np.random.default_rng(0)
    >>> keep = np.arange(8)[:, None] % 2 == np.arange(400) % 2
    >>> phi = 2 * keep + rng.normal(size=400) + rng.normal(size=(8, 400))
    >>> log_p = -np.log1p(np.exp(-phi))
    >>> scores = empirical_bayes_scores(phi[0], log_p[0], phi[2:], log_p[2:], keep[2:], np.arange(6) // 2)
    >>> bool(scores[keep[0]].mean() > scores[~keep[0]].mean())
    True
    """
    replicas, stable = replicas_of(phi_replicas, log_p_replicas, keep, order)
    everywhere = np.ones(len(order), dtype=bool)
    sums = replicas.sums(everywhere)
    change = change_of(sums, replicas.spread)
    own = features(stable(phi)[None], log_p.astype(np.float64)[None], sums, replicas.spread, change)
    return np.asarray(replicas.weights(everywhere)(own)[0])


def empirical_bayes_stand_in_scores(
    phi: Float[np.ndarray, "replicas samples"], log_p: Float[np.ndarray, "replicas samples"], keep: Kept, order: Order
) -> Float64[np.ndarray, "replicas samples"]:
    """Scores of each replica against the replicas of other orders: O(replicas × samples).

    Each group of orders is scored with weights learned from the other groups attacking each other: a chance pattern
    between two orders appears in both directions, so weights that had seen it would mistake it for leakage. Raises
    EvidenceError if a sample is never in, or never out, among the other orders.
    """
    replicas, _ = replicas_of(phi, log_p, keep, order)
    group = np.unique(order, return_inverse=True)[1] % GROUPS
    weights = {int(one): replicas.weights(group != one) for one in np.unique(group)}
    scores = np.empty(keep.shape)
    for mine, found in replicas.stand_ins(np.ones(len(order), dtype=bool)):
        scores[mine] = weights[int(group[mine][0])](found)
    return scores


def empirical_bayes(target: Target) -> Float64[np.ndarray, " samples"] | None:
    """The log-odds of membership by the empirical-Bayes attack, with weights learned from the replicas (this module;
    after BaVarIA, arXiv 2603.11799).

    target  the margins and label probabilities of the model and of its replicas, and the replicas' orders

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
        answers.margin[0], answers.log_prob[0], replicas.margin, replicas.log_prob, target.keep, target.order
    )
