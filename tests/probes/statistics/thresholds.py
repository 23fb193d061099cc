"""Scores whose true-positive rate at every false-positive rate is known.

    python -m tests.probes.statistics.thresholds [RUNS]

prints how often intervals cover it, as rows of docs/membership.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from probes.statistics.roc import tpr_at_fpr
from probes.statistics.threshold import tpr_at_true_fpr

LEVELS = 15
"""Of scores in steps, as those that count agreeing views or dominated samples."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Non-members are standard normal; `draw` gives members, `above` the share of them beyond a threshold."""

    draw: Callable[[np.random.Generator, int], np.ndarray]
    above: Callable[[float], float]
    stepped: bool = False

    def truth(self, fpr: float) -> float:
        threshold = float(stats.norm.isf(fpr))
        # A score in steps can only be cut between them: at the lowest edge with at most this rate.
        return self.above(np.ceil(threshold * LEVELS / 5) * 5 / LEVELS if self.stepped else threshold)

    def seen(self, score: np.ndarray) -> np.ndarray:
        return np.ceil(score * LEVELS / 5) if self.stepped else score


def _normal(shift: float, spread: float = 1.0) -> tuple[Callable[..., np.ndarray], Callable[[float], float]]:
    return (
        lambda rng, n: rng.normal(shift, spread, n),
        lambda threshold: float(stats.norm.sf((threshold - shift) / spread)),
    )


def _few(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=n) + 4 * (rng.random(n) < 0.2)


def _above_few(threshold: float) -> float:
    return float(0.8 * stats.norm.sf(threshold) + 0.2 * stats.norm.sf(threshold - 4))


def _world(shift: float, spread: float = 1.0, *, stepped: bool = False) -> World:
    draw, above = _normal(shift, spread)
    return World(draw=draw, above=above, stepped=stepped)


WORLDS: Mapping[str, World] = {
    "nothing leaks": _world(0),
    "shifted by one": _world(1),
    "shifted by two": _world(2),
    "a fifth exposed": World(draw=_few, above=_above_few),
    "only in the middle": _world(0.8, 0.6),
    "in steps": _world(1, stepped=True),
}


def coverage(world: World, side: int, fpr: float, runs: int) -> tuple[float, float]:
    """Of 95 % intervals, as if the threshold were known and paying for it, with `side` members and non-members."""
    rng, member = np.random.default_rng(0), np.arange(2 * side) < side
    truth, held = world.truth(fpr), np.zeros(2)
    for _ in range(runs):
        score = world.seen(np.concatenate([world.draw(rng, side), rng.normal(size=side)]))
        for which, interval in enumerate((tpr_at_fpr, tpr_at_true_fpr)):
            found = interval(score, member, fpr)
            held[which] += found.low <= truth <= found.high
    known, estimated = held / runs
    return float(known), float(estimated)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    sides, rates = (50, 100, 200, 1000, 5000), (0.05, 0.01, 0.001)
    print("| scores | rate | " + " | ".join(f"{side} a side" for side in sides) + " |")
    print("| --- | --- |" + " --- |" * len(sides))
    for name, world in WORLDS.items():
        for fpr in rates:
            shown = ("{:.1%} / {:.1%}".format(*coverage(world, side, fpr, runs)) for side in sides)
            print(f"| {name} | {fpr:.1%} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
