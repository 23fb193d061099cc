"""Every replica of the splits on what it trained on and on what it did not: one row a fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from probes.evidence import Population
from probes.overfitting.metrics import METRICS
from probes.plan import Pool
from probes.result import Estimate
from probes.statistics.resampled import nadeau_bengio


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldScores:
    """`train` and `held_out` are [metrics folds], in the order of `metrics`."""

    metrics: tuple[str, ...]
    train: Float64[np.ndarray, "metrics folds"]
    held_out: Float64[np.ndarray, "metrics folds"]
    repeat: Int[np.ndarray, " folds"]
    n_train: float
    n_test: float

    def gap(self, metric: str, level: float) -> Estimate:
        """Train less held-out (log-loss: held-out less train), so that more is always more overfitting."""
        row = self.metrics.index(metric)
        sign = -1 if metric == "log_loss" else 1
        return nadeau_bengio(
            f"recipe.{metric}_gap",
            sign * (self.train[row] - self.held_out[row]),
            n_train=self.n_train,
            n_test=self.n_test,
            level=level,
            better="lower",
            unit=METRICS[metric][1],
        )

    def value(self, metric: str, level: float) -> Estimate:
        """The cross-validated metric on held-out folds."""
        row = self.metrics.index(metric)
        return nadeau_bengio(
            f"recipe.held_out_{metric}",
            self.held_out[row],
            n_train=self.n_train,
            n_test=self.n_test,
            level=level,
            better="lower" if metric == "log_loss" else "higher",
            unit=METRICS[metric][1],
        )


def fold_scores(population: Population, pool: Pool) -> FoldScores:
    """All metrics of all folds."""
    in_pool = pool.member | pool.held_out
    sides = []
    for masks in (population.keep, ~population.keep & in_pool):
        values = [
            [metric(population.answers[np.array([r])], pool.labels, masks[r]) for r in range(len(population))]
            for metric, _ in METRICS.values()
        ]
        sides.append(np.array(values))
    sizes = population.keep.sum(axis=1)
    return FoldScores(
        metrics=tuple(METRICS),
        train=sides[0],
        held_out=sides[1],
        repeat=np.array([row.repeat for row in population.rows]),
        n_train=float(sizes.mean()),
        n_test=float(in_pool.sum() - sizes.mean()),
    )
