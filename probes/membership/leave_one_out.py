"""Every replica in turn as the audited model, attacked by replicas of other orders, computed from sufficient
statistics.

Sums over all replicas, minus those over a replica's own order, give every leave-one-out score in O(replicas × samples),
without refits or a copy of all answers. This requires LiRA's centres to be means (not medians).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.errors import EvidenceError
from probes.large_arrays import empty, parts
from probes.membership.lira import Mode
from probes.membership.rmia import SMALLEST_PROBABILITY, dominated, prior

Block = Bool[np.ndarray, " replicas"]


def stand_in_scores(
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    order: Int[np.ndarray, " replicas"],
) -> Float64[np.ndarray, "replicas samples"]:
    """LiRA online (mean centre, one variance for all samples) of each replica against all replicas of other orders.

    Raises EvidenceError if a sample is never in, or never out, among the other orders.
    """
    scores = empty(phi.shape, np.float64)
    # Centring first keeps the sums of squares accurate.
    origin = float(phi.mean(dtype=np.float64))

    def centred(some: Float[np.ndarray, "some samples"]) -> Float64[np.ndarray, "some samples"]:
        return np.asarray(some.astype(np.float64) - origin)

    totals = [Sums(phi.shape[1]), Sums(phi.shape[1])]
    for mine in _blocks(order):
        block = _each(phi, mine, centred)
        for total, chosen in zip(totals, (keep[mine], ~keep[mine]), strict=True):
            total.add(block, chosen)
    for mine in _blocks(order):
        block = _each(phi, mine, centred)
        moments = []
        for total, chosen in zip(totals, (keep[mine], ~keep[mine]), strict=True):
            own = Sums(phi.shape[1])
            own.add(block, chosen)
            moments.append(total.moments_without(own))
        (mean_in, spread_in), (mean_out, spread_out) = moments
        for part in parts(block.shape[1], len(block)):
            scores[mine, part] = (
                np.log(spread_out / spread_in)
                + 0.5 * ((block[:, part] - mean_out[part]) / spread_out) ** 2
                - 0.5 * ((block[:, part] - mean_in[part]) / spread_in) ** 2
            )
    return scores


def rmia_stand_in_scores(
    log_p: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    order: Int[np.ndarray, " replicas"],
    log_p_z: Float[np.ndarray, "replicas population"],
    *,
    mode: Mode = "online",
    gamma: float = 1.0,
    a: float = 0.3,
) -> Float64[np.ndarray, "replicas samples"]:
    """RMIA of each replica against all replicas of other orders; `log_p` are log-probabilities of the label.

    Raises EvidenceError if there is no z, or a sample is never out among the other orders.
    """
    if not log_p_z.shape[1]:
        raise EvidenceError("log_p_z is empty: RMIA compares with samples that no model trained on.")
    blocks = list(_blocks(order))
    total, total_z = Sums(log_p.shape[1]), Sums(log_p_z.shape[1])
    for mine in blocks:
        total.add(_each(log_p, mine, _p), _used(keep[mine], mode))
        total_z.add(_p(log_p_z[mine]), np.ones((int(mine.sum()), log_p_z.shape[1]), dtype=bool))
    scores = empty(log_p.shape, np.float64)
    for mine in blocks:
        own, own_z = Sums(log_p.shape[1]), Sums(log_p_z.shape[1])
        p, p_z = _each(log_p, mine, _p), _p(log_p_z[mine])
        own.add(p, _used(keep[mine], mode))
        own_z.add(p_z, np.ones(p_z.shape, dtype=bool))
        mean = np.maximum(prior(total.mean_without(own), mode, a), SMALLEST_PROBABILITY)
        mean_z = np.maximum(prior(total_z.mean_without(own_z), mode, a), SMALLEST_PROBABILITY)
        for row, one, one_z in zip(np.flatnonzero(mine), p, p_z, strict=True):
            scores[row] = dominated(one / mean, one_z / mean_z, gamma)
    return scores


def _used(keep: Bool[np.ndarray, "some samples"], mode: Mode) -> Bool[np.ndarray, "some samples"]:
    """Which replicas' answers enter the mean."""
    return np.ones_like(keep) if mode == "online" else ~keep


def _blocks(order: Int[np.ndarray, " replicas"]) -> Iterator[Block]:
    for own in np.unique(order):
        yield order == own


def _each(
    answers: Float[np.ndarray, "replicas samples"],
    mine: Block,
    of: Callable[[Float[np.ndarray, "some part"]], Float64[np.ndarray, "some part"]],
) -> Float64[np.ndarray, "some samples"]:
    """What is computed of a block's answers, some samples at a time."""
    found = empty((int(mine.sum()), answers.shape[1]), np.float64)
    for part in parts(found.shape[1], len(found)):
        found[:, part] = of(answers[mine, part])
    return found


def _p(log_p: Float[np.ndarray, "some samples"]) -> Float64[np.ndarray, "some samples"]:
    return np.exp(log_p.astype(np.float64))


class Sums:
    """Counts and sums per sample, and the sum of squares over everything (LiRA's variance is pooled)."""

    def __init__(self, samples: int) -> None:
        self.count, self.one, self.two = np.zeros(samples), np.zeros(samples), 0.0

    def add(self, values: Float[np.ndarray, "some samples"], chosen: Bool[np.ndarray, "some samples"]) -> None:
        squares = empty(values.shape, np.float64)
        for part in parts(values.shape[1], len(values)):
            masked = np.where(chosen[:, part], values[:, part].astype(np.float64), 0.0)
            self.count[part] += chosen[:, part].sum(axis=0)
            self.one[part] += masked.sum(axis=0)
            np.square(masked, out=squares[:, part])
        self.two += float(squares.sum())

    def mean_without(self, own: Sums) -> Float64[np.ndarray, " samples"]:
        count = self.count - own.count
        if (count < 1).any():
            raise EvidenceError(
                f"sample {int(np.argmin(count))} is never in or never out among replicas of other orders.",
                do="Use at least 2 repeats.",
            )
        return np.asarray((self.one - own.one) / count)

    def moments_without(self, own: Sums) -> tuple[Float64[np.ndarray, " samples"], float]:
        mean = self.mean_without(own)
        total = float((self.count - own.count).sum())
        variance = (self.two - own.two) / total - (float((self.one - own.one).sum()) / total) ** 2
        return mean, float(np.sqrt(max(variance, 1e-30)))
