"""How often the interval of each attack's AUC over stand-ins holds the truth, with the folds' correlation and the
spread of real models.

`python -m tests.probes.membership.stand_in_coverage 300` prints the table of docs/membership.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np

from probes.membership.order_intervals import over_orders, stand_in_aucs
from probes.membership.recipe_level import RMIA, stand_ins
from tests.probes.membership.simulated import REAL
from tests.probes.membership.worlds import World

SETTINGS = [(leak, repeats) for leak in (0.0, 1.0) for repeats in (3, 4, 8)]
LEVEL = 0.95


def coverage(leak: float, repeats: int, draws: int) -> Mapping[str, tuple[float, float, float]]:
    """Of each attack: the share of draws whose interval holds the mean over draws, the mean AUC, and the mean width of
    the interval. The pool is held and models are drawn."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for models in range(draws):
        evidence = World(leak=leak, seed=1, models=models, repeats=repeats, validation=60, **REAL).evidence()
        population = evidence.population.design("splits")
        keep = population.keep[:, evidence.pool.indices]
        for attack, scores in stand_ins(evidence, population).items():
            one = over_orders(
                "recipe.auc",
                stand_in_aucs(scores, keep),
                population.order,
                level=LEVEL,
                unit="AUC",
                bounds=(0.0, 1.0),
                symmetric=attack != RMIA,
            )
            found.setdefault(attack, []).append((one.value, one.low, one.high))
    told = {}
    for attack, values in found.items():
        value, low, high = np.array(values).T
        covered = float(np.mean((low <= value.mean()) & (value.mean() <= high)))
        told[attack] = covered, float(value.mean()), float((high - low).mean())
    return told


if __name__ == "__main__":
    for leak, repeats in SETTINGS:
        for attack, (covered, mean, width) in coverage(leak, repeats, int(sys.argv[1])).items():
            print(f"| {leak:g} | {repeats} | {attack} | {100 * covered:.1f} % | {mean:.3f} | {width:.3f} |", flush=True)
