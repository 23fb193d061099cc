"""How often the whole ladder raises a false alarm, by simulation. `python -m tests.probes.membership.simulated 1000`
prints the figures of docs/membership.md."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from probes.membership import Membership
from tests.probes.membership.worlds import World

SETTINGS = {
    "60 and 60, 16 repeats": {"members": 60, "held_out": 60, "validation": 40, "repeats": 16},
    "150 and 50, 4 repeats": {"members": 150, "held_out": 50, "validation": 40, "repeats": 4},
}


def nulls(setting: str, count: int) -> Counter[str]:
    """Of `count` models that remember nothing: alarms by kind, and intervals that hold 0.5. Every attack runs."""
    counted: Counter[str] = Counter()
    size = SETTINGS[setting]
    for seed in range(count):
        evidence = World(leak=0.0, seed=10_000 + seed, everything=True, **size).evidence()
        result = Membership(repeats=size["repeats"])(evidence, np.random.default_rng(seed))
        codes = {finding.code for finding in result.findings}
        for name in ("leaks", "infidelity", "exposed-samples", "uneven-exposure"):
            counted[name] += f"membership.{name}" in codes
        for name in ("checkpoint.auc", "recipe.auc"):
            counted[name] += result[name].low <= 0.5 <= result[name].high
        counted["recipe fails the default gate"] += result["recipe.auc"].low > 0.6
        counted["epsilon above 0"] += result["epsilon.lower_bound"].value > 0
        counted["attacks"] = sum(one.name.startswith("attack.") for one in result.estimates)
        if __name__ == "__main__" and (seed + 1) % 100 == 0:
            print(f"{setting}, {seed + 1} nulls: {dict(counted)}", flush=True)
    return counted


if __name__ == "__main__":
    for name in SETTINGS:
        nulls(name, int(sys.argv[1]))
