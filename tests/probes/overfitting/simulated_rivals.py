"""How often one of two recipes that are equally good is said to be worse: false alarms of the negative-transfer check.

    python -m tests.probes.overfitting.simulated_rivals [RUNS]

prints rows of docs/overfitting.md. Both recipes are nearest centroids, on dimensions that tell equally much: other
ones altogether, or mostly the same.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from probes.overfitting.negative_transfer import rivals
from probes.plan import Plan, Rivals, Splits
from tests.probes.overfitting.trained import evidence, make_pool

DIMENSIONS = 20


class Centroids:
    """The nearest class mean over the dimensions `used`."""

    classes_ = np.arange(2)

    def __init__(self, x: np.ndarray, y: np.ndarray, used: slice) -> None:
        self.used = used
        self.means = np.stack([x[y == label, used].mean(axis=0) for label in (0, 1)])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        distance = ((x[:, None, self.used] - self.means) ** 2).sum(axis=-1) / 2
        odds = np.exp(np.clip(distance[:, :1] - distance[:, 1:], -30, 30))
        return np.hstack([1 / (1 + odds), odds / (1 + odds)])


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Two recipes of one expected accuracy: `shared` of the dimensions are used by both, the others by one of them."""

    shared: int
    members: int
    apart: float
    """Distance of the classes' centres from the middle: with u of 20 dimensions Φ(apart √(u/20)) are right at best."""


EQUALS: Mapping[str, Equal] = {
    "other dimensions, 80 members": Equal(shared=0, members=80, apart=0.7),
    "other dimensions, 300 members": Equal(shared=0, members=300, apart=0.7),
    "other dimensions, 300 members, easy": Equal(shared=0, members=300, apart=2.0),
    "16 of 18 dimensions shared, 80 members": Equal(shared=16, members=80, apart=0.7),
    "16 of 18 dimensions shared, 300 members": Equal(shared=16, members=300, apart=0.7),
    "16 of 18 dimensions shared, 300 members, easy": Equal(shared=16, members=300, apart=2.0),
}


def alarms(equal: Equal, folds: int, compared: int, runs: int) -> tuple[float, float]:
    """Shares of `runs` in which the recipe is said to be worse, and better, than its equal on `compared` folds."""
    rng = np.random.default_rng(3)
    edge = (DIMENSIONS + equal.shared) // 2
    worse = better = 0
    for _ in range(runs):
        held_out = round(equal.members / (folds - 1))
        labels = rng.integers(0, 2, equal.members + held_out)
        centre = equal.apart * (2 * labels[:, None] - 1) / np.sqrt(DIMENSIONS)
        inputs = rng.normal(size=(len(labels), DIMENSIONS)) + centre
        pool = make_pool(labels, equal.members, held_out, rng)
        repeats = -(-compared // folds)
        made = evidence(
            inputs,
            pool,
            lambda x, y: Centroids(x, y, slice(0, edge)),
            Plan.of(Splits(repeats=repeats), Rivals(kind="scratch", repeats=repeats, most=compared)),
            seed=int(rng.integers(2**31)),
            rivals={"scratch": lambda x, y: Centroids(x, y, slice(DIMENSIONS - edge, DIMENSIONS))},
        )
        (gain,) = rivals(made, 0.95).estimates
        worse, better = worse + (gain.high < 0), better + (gain.low > 0)
    return worse / runs, better / runs


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    kinds = [(folds, compared) for folds in (2, 4, 8) for compared in (4, 6)]
    print("| two equal recipes | " + " | ".join(f"{compared} of K = {folds}" for folds, compared in kinds) + " |")
    print("| --- |" + " --- |" * len(kinds))
    for name, equal in EQUALS.items():
        shown = ("{:.1%} / {:.1%}".format(*alarms(equal, *kind, runs)) for kind in kinds)
        print(f"| {name} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
