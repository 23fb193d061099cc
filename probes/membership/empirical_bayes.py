"""The empirical-Bayes attack: LiRA with few replicas, combined with RMIA by weights learned from the replicas.

LiRA, RMIA and BASE are one family (BaVarIA, arXiv 2603.11799): each compares the margin φ with the margins expected of
models that did, or did not, train on the sample, and they differ in what they assume when there are few replicas. Here
those quantities are estimated across samples instead of assumed:

1. φ is transformed so that the spread between models does not depend on φ (`variance_stabilisation`).
2. Each sample's variance is shrunk towards that of the others (inverse gamma), as is the effect of training on it,
   within groups of samples of similar difficulty; the score is the log-ratio of the two posterior predictive t
   densities (`replica_moments`).
3. Where features of the samples are known, similar samples of the class predict the membership and the distance from
   the mean (`neighbours`).
4. A logistic regression on stand-ins, whose training samples are known, weighs that score, RMIA's ratio, the distance
   from the mean and the predictions (`stand_in_weights`).

All hyperparameters are estimated from replicas only, never from the membership in the audited model's training.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy import special

from probes.errors import EvidenceError
from probes.large_arrays import empty, taken
from probes.membership.neighbours import Neighbours
from probes.membership.replica_moments import (
    AT_ONCE,
    Answered,
    Kept,
    Moments,
    Phi,
    Spread,
    blocks,
    change_of,
    spread_of,
)
from probes.membership.stand_in_weights import Weights, fit_weights
from probes.membership.target import Target
from probes.membership.variance_stabilisation import Stabiliser, stabiliser

SMALLEST_PROBABILITY = 1e-30
LARGEST_FIT, FEWEST_FITTED = 2**13, 5
"""Number of stand-in answers that the weights are fitted to, and the fewest orders they are taken from: twice as many
change no AUC of docs/membership.md by more than 0.002."""
ALONE = 3
"""Number of features of a sample's own answer; only they must have a positive weight."""
GROUPS = 5
"""Number of groups of orders; a group's stand-ins are weighted without using that group."""
Order = Int[np.ndarray, " replicas"]
Rows = Int[np.ndarray, " rows"]
Found = Float64[np.ndarray, "columns models chosen"]


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
    def by(cls, sums: Moments, spread: Spread) -> Expected:
        change, centre, squares = change_of(sums, spread), sums.centre, sums.squares
        total, stratum = sums.count.sum(axis=1), spread.stratum
        dof = spread.dof[stratum] + np.maximum(sums.count - 1, 0).sum(axis=1)
        known = (spread.dof * spread.variance)[stratum]
        variance = (known + squares[:, 0] + squares[:, 1] / spread.ratio) / dof
        error = variance * (spread.ratio / sums.count[:, 1] + 1 / sums.count[:, 0])
        between = change.variance[:, stratum]
        trusted = between / np.maximum(between + error, 1e-12)
        usual = change.mean[:, stratum]
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
        rows, samples = stable.shape
        found = empty((ALONE, rows, -(-samples // thin)), np.float64)
        known = None if neighbours is None else empty((2, rows, samples), np.float32)
        for part in blocks(samples, rows):
            alone, sure = self._alone(stable[:, part], log_p[:, part], by, part)
            first = -(-part.start // thin)
            few = alone[..., first * thin - part.start :: thin]
            found[..., first : first + few.shape[-1]] = few
            if known is not None:
                known[:, :, part] = sure, alone[-1]
        if neighbours is None or known is None:
            return found
        told = neighbours(known.reshape(2 * rows, samples), thin)
        return np.concatenate([found, told.reshape(2, *found.shape[1:])])

    def _alone(
        self, stable: Phi, log_p: Answered, by: Rows, part: slice
    ) -> tuple[Float64[np.ndarray, "alone models samples"], Float64[np.ndarray, "models samples"]]:
        """The features of some consecutive samples that need no other samples, and by how much membership is more
        probable than before."""
        at = by, part
        away = stable - self.centre[at]
        spread_in, spread_out, dof = self.spread_in[at], self.spread_out[at], self.dof[at]
        # The log-ratio of two t densities by one logarithm of each model's answer.
        apart_in = 1 + (away - self.if_in[at]) ** 2 / spread_in
        apart_out = 1 + (away - self.if_out[at]) ** 2 / spread_out
        log_ratio = 0.5 * (dof + 1) * np.log(apart_out / apart_in)
        log_ratio += (0.5 * np.log(self.spread_out[:, part] / self.spread_in[:, part]))[by]
        return np.stack([log_ratio, log_p - self.log_p[at], away]), special.expit(log_ratio) - self.inside[at]


@dataclass(frozen=True, kw_only=True, eq=False)
class StabilisedReplicas:
    """A population with stabilised margins; its rows are sorted by order."""

    stable: Phi
    log_p: Answered
    keep: Kept
    order: Order
    spread: Spread
    neighbours: Neighbours | None

    def sums(self, orders: Int[np.ndarray, " orders"]) -> Moments:
        """One set: all replicas of these orders."""
        first, *others = (each.together() for _, _, each in self._by_order(orders))
        return sum(others, start=first)

    def _by_order(self, orders: Int[np.ndarray, " orders"]) -> Iterator[tuple[Rows, Rows, Moments]]:
        """A few orders at a time: their rows, each row's set, and a set of sums per order."""
        first, last = (np.searchsorted(self.order, orders, side=side) for side in ("left", "right"))
        size = last - first
        answers = int(size.sum()) * self.keep.shape[1]
        for few in np.array_split(np.arange(len(orders)), int(np.clip(-(-answers // AT_ONCE), 1, len(orders)))):
            starts = np.cumsum(size[few]) - size[few]
            by = np.repeat(np.arange(len(few)), size[few])
            rows = np.arange(len(by)) + (first[few] - starts)[by]
            yield rows, by, Moments.of(self.stable[rows], self.log_p[rows], self.keep[rows], starts)

    def _thinned(self, total: Moments, thin: int) -> tuple[StabilisedReplicas, Moments]:
        """Every such sample."""
        spread = dataclasses.replace(self.spread, stratum=self.spread.stratum[::thin])
        few = {name: getattr(self, name)[:, ::thin] for name in ("stable", "log_p", "keep")}
        return dataclasses.replace(self, **few, spread=spread), Moments(
            **{name: value[..., ::thin] for name, value in vars(total).items()}
        )

    def stand_ins(
        self, orders: Int[np.ndarray, " orders"], total: Moments, thin: int = 1
    ) -> Iterator[tuple[Rows, Found]]:
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

    def weights(self, orders: Int[np.ndarray, " orders"], total: Moments) -> Weights:
        """Weights fitted to the replicas of these orders as stand-ins attacking each other; `total` is their sums."""
        if len(orders) < 2:
            return Weights.of_first(ALONE if self.neighbours is None else ALONE + 2)
        answers = int(np.isin(self.order, orders).sum()) * self.keep.shape[1]
        fitted = max(FEWEST_FITTED, len(orders) * LARGEST_FIT // answers)
        if fitted < len(orders):
            answers = answers * fitted // len(orders)
            orders = orders[np.linspace(0, len(orders) - 1, fitted).astype(np.int64)]
        thin = max(1, -(-answers // LARGEST_FIT))
        # Without neighbours, the other samples are not needed.
        some, few, thin = (self, total, thin) if self.neighbours else (*self._thinned(total, thin), 1)
        parts = [(each, some.keep[mine, ::thin]) for mine, each in some.stand_ins(orders, few, thin)]
        found = np.concatenate([each.reshape(len(each), -1) for each, _ in parts], axis=1)
        return fit_weights(found, np.concatenate([inside.ravel() for _, inside in parts]), positive=ALONE)


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
) -> tuple[StabilisedReplicas, Stabiliser, Moments]:
    """The replicas, sorted by order, the map that stabilised their margins, and the sums of all.

    Raises EvidenceError if a sample is never in, or never out, among the replicas.
    """
    if (np.diff(order) < 0).any():
        rows = np.argsort(order, kind="stable")
        order = order[rows]
        phi, log_p, keep = (taken(one, rows) for one in (phi, log_p, keep))
    stable, mapped = stabiliser(phi, keep), empty(phi.shape, np.float64)
    summed = []
    for part in blocks(phi.shape[1], len(phi)):
        mapped[:, part] = some = stable(phi[:, part])
        summed.append(Moments.of(some, log_p[:, part], keep[:, part], np.zeros(1, dtype=np.int64)))
    total = Moments(**{name: np.concatenate([vars(one)[name] for one in summed], axis=-1) for name in vars(summed[0])})
    spread = spread_of(total)
    found = StabilisedReplicas(stable=mapped, log_p=log_p, keep=keep, order=order, spread=spread, neighbours=neighbours)
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
