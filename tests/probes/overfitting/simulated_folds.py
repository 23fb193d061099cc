"""Simulated audits of really trained models: what overlapping training sets and a shared pool do to an interval.

Two overlapping clouds in 20 dimensions: a nearest-centroid rule overfits them, and the truth is computed by training it
on thousands of pools.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from probes.evidence import Evidence
from probes.overfitting.bootstrap_632 import SHARE, bootstrap
from probes.overfitting.cross_validation import fold_scores, gap_rank
from probes.overfitting.learning_curve import learning_curve
from probes.overfitting.negative_transfer import rivals
from probes.plan import Plan, Rivals, Sizes, Splits, Subsamples
from tests.probes.overfitting.simulated import Covered, Run, Simulation, ends
from tests.probes.overfitting.trained import evidence, make_pool

DIMENSIONS = 20
MEMBERS = 80


class Centroids:
    """The nearest class mean over the first `used` dimensions."""

    classes_ = np.arange(2)

    def __init__(self, x: np.ndarray, y: np.ndarray, used: int = DIMENSIONS) -> None:
        self.used = used
        self.means = np.stack([x[y == label, :used].mean(axis=0) for label in (0, 1)])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        distance = ((x[:, None, : self.used] - self.means) ** 2).sum(axis=-1) / 2
        odds = np.exp(np.clip(distance[:, :1] - distance[:, 1:], -30, 30))
        return np.hstack([1 / (1 + odds), odds / (1 + odds)])


def half(x: np.ndarray, y: np.ndarray) -> Centroids:
    """A weaker rule, that sees half of the dimensions."""
    return Centroids(x, y, used=DIMENSIONS // 2)


def clouds(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, 2, n)
    return rng.normal(size=(n, DIMENSIONS)) + 0.7 * (2 * labels[:, None] - 1) / np.sqrt(DIMENSIONS), labels


@cache
def truth(members: int = MEMBERS, used: int = DIMENSIONS, runs: int = 3000) -> tuple[float, float]:
    """Expected accuracy on training samples and on new ones."""
    rng = np.random.default_rng(9)
    scores = []
    for _ in range(runs):
        (x, y), (fresh, expected) = clouds(members, rng), clouds(400, rng)
        rule = Centroids(x, y, used)
        scores.append([(rule.predict_proba(a).argmax(axis=1) == b).mean() for a, b in ((x, y), (fresh, expected))])
    inside, outside = np.mean(scores, axis=0)
    return float(inside), float(outside)


def audit(rng: np.random.Generator, plan: Plan, held_out: int) -> Evidence:
    x, y = clouds(MEMBERS + held_out, rng)
    pool = make_pool(y, MEMBERS, held_out, rng)
    return evidence(x, pool, Centroids, plan, seed=int(rng.integers(2**31)), rivals={"scratch": half})


def gap(held_out: int) -> Run:
    def run(rng: np.random.Generator) -> Covered:
        made = audit(rng, Plan.of(Splits(repeats=4)), held_out)
        inside, outside = truth()
        return ends(fold_scores(made.population, made.pool).gap("accuracy", 0.95), inside - outside)

    return run


def value(rng: np.random.Generator) -> Covered:
    made = audit(rng, Plan.of(Splits(repeats=4)), 80)
    return ends(fold_scores(made.population, made.pool).value("accuracy", 0.95), truth()[1])


def rank(rng: np.random.Generator) -> Covered:
    """The truth: the share of 200 other splits of the same pool whose gap is smaller than this checkpoint's."""
    made = audit(rng, Plan.of(Splits(repeats=4)), 20)
    many = audit_again(made, rng)
    correct = made.audited.correct(made.labels)[0]
    own = float(correct[made.pool.member].mean() - correct[made.pool.held_out].mean())
    found = gap_rank(own, fold_scores(made.population, made.pool), 0.95)
    return ends(found, float((many < own).mean() + (many == own).mean() / 2))


def audit_again(made: Evidence, rng: np.random.Generator) -> np.ndarray:
    gaps = []
    for _ in range(200):
        keep = np.zeros(len(made.labels), dtype=bool)
        keep[rng.permutation(len(keep))[:MEMBERS]] = True
        right = Centroids(made.inputs[keep], made.labels[keep]).predict_proba(made.inputs).argmax(axis=1) == made.labels
        gaps.append(float(right[keep].mean() - right[~keep].mean()))
    return np.array(gaps)


def rival(held_out: int) -> Run:
    def run(rng: np.random.Generator) -> Covered:
        made = audit(rng, Plan.of(Splits(repeats=4), Rivals(kind="scratch")), held_out)
        return ends(rivals(made, 0.95).estimates[0], truth()[1] - truth(used=DIMENSIONS // 2)[1])

    return run


def subsampled(replicas: int, *, plus: bool) -> Run:
    def run(rng: np.random.Generator) -> Covered:
        made = audit(rng, Plan.of(Splits(repeats=2), Subsamples(replicas=replicas)), 80)
        scores = fold_scores(made.population.design("splits"), made.pool)
        found = bootstrap(made, float(scores.train[0].mean()), 0.95)
        assert found is not None
        return ends(found.plus, truth()[1]) if plus else ends(found.outside, truth(round(SHARE * MEMBERS))[1])

    return run


def doubling(rng: np.random.Generator) -> Covered:
    made = audit(rng, Plan.of(Splits(repeats=4), Sizes(shares=(0.25, SHARE), repeats=2)), 80)
    return ends(learning_curve(made, rng, 0.95).estimates[0], truth(2 * MEMBERS)[1] - truth()[1])


WIDE = "wide by design: it allows for all that folds share"
T = "corrected resampled t (Nadeau–Bengio)"
SATTERTHWAITE = "t, Satterthwaite's degrees of freedom"
FOLDS: Mapping[str, Simulation] = {
    "gap, 5 folds": Simulation(
        estimate="recipe.*_gap, 4 × 5 folds of 20", method=T, run=gap(20), most=1.0, remark=WIDE
    ),
    "gap, 2 folds": Simulation(
        estimate="recipe.*_gap, 4 × 2 folds of 80", method=T, run=gap(80), most=1.0, remark=WIDE
    ),
    "value": Simulation(estimate="recipe.held_out_*, 4 × 2 folds of 80", method=T, run=value),
    "rank": Simulation(
        estimate="checkpoint.gap_rank",
        method="Clopper–Pearson",
        run=rank,
        most=1.0,
        remark="wider: ranks between two counts",
    ),
    "rival, 5 folds": Simulation(
        estimate="recipe.gain_over_*, 6 of 4 × 5 folds", method=T, run=rival(20), most=1.0, remark=WIDE
    ),
    "rival, 2 folds": Simulation(
        estimate="recipe.gain_over_*, 6 of 4 × 2 folds", method=T, run=rival(80), most=1.0, remark=WIDE
    ),
    "outside, 2": Simulation(
        estimate="recipe.accuracy_outside_subsamples, 2 replicas",
        method=SATTERTHWAITE,
        run=subsampled(2, plus=False),
    ),
    "outside, 8": Simulation(
        estimate="recipe.accuracy_outside_subsamples, 8 replicas",
        method=SATTERTHWAITE,
        run=subsampled(8, plus=False),
        most=0.99,
        remark="a little wider: subsamples share the pool, which is counted in full",
    ),
    ".632+, 2": Simulation(
        estimate="recipe.accuracy_632plus, 2 replicas", method=SATTERTHWAITE, run=subsampled(2, plus=True)
    ),
    ".632+, 8": Simulation(
        estimate="recipe.accuracy_632plus, 8 replicas", method=SATTERTHWAITE, run=subsampled(8, plus=True)
    ),
    "doubling": Simulation(
        estimate="recipe.gain_from_doubling_data, trained models",
        method="families of curves",
        run=doubling,
        most=1.0,
        remark="wide: two replicas a size, and the family is unknown",
    ),
}
