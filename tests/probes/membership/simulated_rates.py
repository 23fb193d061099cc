"""How often intervals hold the recipe's true-positive rate at a true false-positive rate.

    python -m tests.probes.membership.simulated_rates [DRAWS]

prints rows of docs/membership.md. The pool is held and models are drawn, because the interval is about one pool; the
truth is the rate over all draws' stand-ins at the threshold that all draws' non-members set.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np

from probes.membership.order_intervals import over_orders, tpr_over_orders
from probes.membership.recipe_level import stand_ins
from tests.probes.membership.worlds import World

ATTACK = "lira-online"
FPRS = (0.05, 0.01, 0.001)

Drawn = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Scores of the stand-ins, what they trained on, their orders."""


def drawn(leak: float, repeats: int, draws: int) -> Drawn:
    found = []
    for models in range(draws):
        evidence = World(leak=leak, seed=1, models=models, repeats=repeats).evidence()
        population = evidence.population.design("splits")
        keep = population.keep[:, evidence.pool.indices]
        found.append((stand_ins(evidence, population)[ATTACK], keep, population.order))
    return found


def coverage(of: Drawn, fpr: float) -> tuple[float, float]:
    """With the threshold as if it were known, and paying for it."""
    outside = np.sort(np.concatenate([scores[~keep] for scores, keep, _ in of]))[::-1]
    inside = np.concatenate([scores[keep] for scores, keep, _ in of])
    truth = float((inside > outside[math.floor(fpr * len(outside))]).mean())
    held = np.zeros(2)
    for scores, keep, order in of:
        paid = tpr_over_orders("t", scores, keep, order, fpr, level=0.95)
        threshold = np.sort(scores[~keep])[::-1][math.floor(fpr * (~keep).sum())]
        each = ((scores > threshold) & keep).sum(axis=1) / keep.sum(axis=1)
        known = over_orders("t", each, order, level=0.95, unit="TPR", bounds=(0.0, 1.0))
        held += [known.low <= truth <= known.high, paid.low <= truth <= paid.high]
    known_share, paid_share = held / len(of)
    return float(known_share), float(paid_share)


def rows(draws: int) -> Iterator[str]:
    for leak in (0.0, 0.5, 1.0, 2.0):
        for repeats in (4, 8, 16):
            made = drawn(leak, repeats, draws)
            shown = ("{:.1%} / {:.1%}".format(*coverage(made, fpr)) for fpr in FPRS)
            yield f"| {leak:g} nats | {repeats} | {' | '.join(shown)} |"


if __name__ == "__main__":
    print("| leak | repeats | " + " | ".join(f"{100 * fpr:g} %" for fpr in FPRS) + " |\n|" + " --- |" * 5)
    for row in rows(int(sys.argv[1]) if len(sys.argv) > 1 else 300):
        print(row, flush=True)
