"""Every replica of the splits on its training samples and on the others: one row per fold."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from probes.measures.classification import METRICS
from probes.message import Message
from probes.pairing import Pairing
from probes.plan import Pool
from probes.population import Population
from probes.result import Axis, Chart, Estimate
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.proportions import clopper_pearson

CHART, TRAINING, HELD_OUT = "folds", "training", "held out"
"""The chart of folds, and its two series."""
CHARTED = "accuracy"


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldScores:
    """`train` and `held_out` are [metrics folds], in the order of `metrics`."""

    metrics: tuple[str, ...]
    train: Float64[np.ndarray, "metrics folds"]
    held_out: Float64[np.ndarray, "metrics folds"]
    repeat: Int[np.ndarray, " folds"]
    fold: Int[np.ndarray, " folds"]
    n_train: float
    n_test: float

    def gap(self, metric: str, level: float) -> Estimate:
        """Train minus held-out (log-loss: held-out minus train), so that more is always more overfitting."""
        row = self.metrics.index(metric)
        sign = -1 if metric == "log_loss" else 1
        found = nadeau_bengio(
            f"recipe.{metric}_gap",
            sign * (self.train[row] - self.held_out[row]),
            n_train=self.n_train,
            n_test=self.n_test,
            level=level,
            better="lower",
            unit="points" if METRICS[metric][1] == "fraction" else METRICS[metric][1],
        )
        found = dataclasses.replace(found, grown_by="repeats")
        if metric != CHARTED:
            return found
        made_of = Pairing(statistic="fold mean", columns=(CHART,), part=TRAINING, less=HELD_OUT)
        return dataclasses.replace(found, pairing=made_of, tradeoff="risk")

    def value(self, metric: str, level: float) -> Estimate:
        """The cross-validated metric on held-out folds."""
        row = self.metrics.index(metric)
        found = nadeau_bengio(
            f"recipe.held_out_{metric}",
            self.held_out[row],
            n_train=self.n_train,
            n_test=self.n_test,
            level=level,
            better="lower" if metric == "log_loss" else "higher",
            unit=METRICS[metric][1],
        )
        found = dataclasses.replace(found, grown_by="repeats")
        if METRICS[metric][1] == "fraction":
            found = dataclasses.replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
        if metric != CHARTED:
            return found
        made_of = Pairing(statistic="fold mean", columns=(CHART,), part=HELD_OUT)
        return dataclasses.replace(found, pairing=made_of, tradeoff="utility", quality=True)

    def accuracy_gaps(self) -> Float64[np.ndarray, " folds"]:
        row = self.metrics.index(CHARTED)
        return np.asarray(self.train[row] - self.held_out[row])


def fold_scores(population: Population, pool: Pool) -> FoldScores:
    """All metrics of all folds."""
    in_pool = pool.member | pool.held_out
    sides = []
    for trained in (True, False):
        values = [
            [
                metric(population.answers[np.array([r])], pool.labels, (keep == trained) & in_pool)
                for r, keep in enumerate(population.keep)
            ]
            for metric, _ in METRICS.values()
        ]
        sides.append(np.array(values))
    sizes = population.keep.sum(axis=1)
    return FoldScores(
        metrics=tuple(METRICS),
        train=sides[0],
        held_out=sides[1],
        repeat=np.array([row.repeat for row in population.rows]),
        fold=np.array([row.fold for row in population.rows]),
        n_train=float(sizes.mean()),
        n_test=float(in_pool.sum() - sizes.mean()),
    )


def gap_rank(own: float, scores: FoldScores, level: float) -> Estimate:
    """The share of replicas whose gap is smaller than this checkpoint's (ties count half); a typical checkpoint's is
    near one half.

    own     this checkpoint's gap, in points
    scores  the accuracies of every fold
    level   two-sided coverage of the interval, in (0, 1)

    The interval is Clopper–Pearson's, as if replicas were independent, which folds of a repeat are only approximately.

    Returns the estimate, a fraction.
    """
    gaps = scores.accuracy_gaps()
    smaller = float((gaps < own).sum() + (gaps == own).sum() / 2)
    low, high = (
        clopper_pearson(int(np.floor(smaller)), len(gaps), level)[0],
        clopper_pearson(int(np.ceil(smaller)), len(gaps), level)[1],
    )
    return Estimate(
        name="checkpoint.gap_rank",
        value=smaller / len(gaps),
        low=low,
        high=high,
        level=level,
        n=len(gaps),
        counted="replicas",
        unit="share of replicas",
    )


def fold_chart(scores: FoldScores, own: tuple[float, float]) -> Chart:
    """Accuracy of every fold on its training samples and on the others; `own` is the checkpoint's on both."""
    row = scores.metrics.index(CHARTED)
    names = [f"{repeat + 1}.{fold + 1}" for repeat, fold in zip(scores.repeat, scores.fold, strict=True)]
    return Chart(
        name=CHART,
        mark="points",
        title=Message("overfitting.folds.title"),
        caption=Message("overfitting.folds.caption", {"replicas": len(names), "samples": round(scores.n_train)}),
        columns={
            "fold": names + names,
            "accuracy": [*scores.train[row].tolist(), *scores.held_out[row].tolist()],
            "side": [TRAINING] * len(names) + [HELD_OUT] * len(names),
        },
        x=Axis(column="fold", title="replica", scale="category"),
        y=Axis(column="accuracy", title="accuracy"),
        series="side",
        rules={"its training": own[0], "its held-out": own[1]},
    )
