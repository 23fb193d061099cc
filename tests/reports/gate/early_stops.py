"""What `--stop-early` gains and loses on the gate's check of `recipe.auc`, by simulation: rows of docs/membership.md.

    python -m tests.reports.gate.early_stops 200

Populations of 8 repeats whose margins spread and correlate as those of real models. Each is judged once, after all
rounds, and with looks after 2, 4 and 8.
"""

from __future__ import annotations

import datetime
import sys
from collections import Counter

import numpy as np

from probes.evidence import Evidence
from probes.membership.recipe_level import recipe_part, stand_ins
from probes.population import Population
from probes.result import Result
from reports.gate.judge import judge
from reports.gate.sequential import Look, decided, looks, single
from reports.gate.thresholds import Gate, Threshold
from tests.probes.membership.simulated import REAL
from tests.probes.membership.worlds import World

ROUNDS, BOUND = 8, 0.6
SIZE = {"repeats": ROUNDS, "members": 150, "held_out": 150, "validation": 60, **REAL}
STATUSES = ("pass", "fail", "undecided")
GATE = Gate(thresholds=(Threshold(probe="membership", estimate="recipe.auc", direction="max", bound=BOUND),))
LEAKS = (0.0, 0.5, 0.75, 1.0, 1.5, 2.5)


def looked(evidence: Evidence, look: Look) -> tuple[str, bool, float]:
    """The check's status, whether it is decided, and the estimate."""
    population = evidence.population.design("splits")
    mine = np.array([row.repeat < look.after for row in population.rows])
    chosen = Population(rows=tuple(look.rows(population.rows)), answers=population.answers[mine])
    (auc, *_) = recipe_part(evidence, chosen, stand_ins(evidence, chosen), (), 0.95).estimates
    verdict = judge([Result(probe="membership", params={}, estimates=(auc,))], look.gate(GATE), today=datetime.date.min)
    return verdict.checks[0].status, decided(verdict), auc.value


def compared(leak: float, draws: int) -> str:
    once: Counter[str] = Counter()
    early: Counter[str] = Counter()
    rounds, changed, found = 0, Counter[str](), []
    for seed in range(draws):
        evidence = World(leak=leak, seed=seed, **SIZE).evidence()
        last, _, value = looked(evidence, single(ROUNDS)[0])
        found.append(value)
        for look in looks(ROUNDS):
            status, settled, _ = looked(evidence, look)
            if settled:
                break
        rounds += look.after
        once[last] += 1
        early[status] += 1
        changed[f"{last} → {status}"] += last != status
    shares = " | ".join(f"{100 * kind[one] / draws:.0f}" for kind in (once, early) for one in STATUSES)
    differ = ", ".join(f"{name} {count}" for name, count in changed.items() if count) or "none"
    return f"| {leak:g} | {np.mean(found):.3f} | {shares} | {rounds / draws:.1f} | {differ} |"


if __name__ == "__main__":
    for leak in LEAKS:
        print(compared(leak, int(sys.argv[1])), flush=True)
