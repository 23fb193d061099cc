"""How often the whole ladder raises a false alarm, by simulation. `python -m tests.probes.membership.simulated 500`
prints the figures of docs/membership.md."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter

import numpy as np

from probes.evidence import Evidence
from probes.membership import Membership
from tests.probes.membership.worlds import World

ALARMS = (
    "leaks",
    "split-differs",
    "attack-below-half",
    "infidelity",
    "exposed-samples",
    "uneven-exposure",
    "rarity-exposes",
    "label-noise-exposes",
    "copies-hide",
    "falls-with-samples",
)
FPRS = Membership().fprs
REAL = {"noise": (0.7, 1.7), "folds_correlate": -0.65}
"""Spread between models, and correlation of a repeat's folds, as on real transfers."""
HALVES = {"members": 60, "held_out": 60, "validation": 40, "repeats": 16, **REAL}
FIFTHS = {"members": 150, "held_out": 50, "validation": 40, "repeats": 4, **REAL}
SETTINGS = {
    "60 and 60, 16 repeats": HALVES,
    "150 and 50, 4 repeats": FIFTHS,
    "150 and 50, 4 repeats, models differ by class": {**FIFTHS, "shared": 0.5},
    "150 and 50, 4 repeats, models differ by class and group": {**FIFTHS, "shared": 0.5, "groups": 40},
}
"""With groups, whole groups are in one fold; a split at random takes single samples, as the audited model's here."""


def shifted_nulls(count: int, first: int = 0) -> Counter[str]:
    """Of `count` models that memorised nothing and whose members are the easier samples: how often the split is said to
    differ, and how often something is called leakage."""
    counted: Counter[str] = Counter()
    for seed in range(first, first + count):
        world = World(leak=0.0, seed=20_000 + seed, everything=True, members=100, held_out=100, repeats=4, **REAL)
        result = Membership(repeats=4)(by_difficulty(world.evidence()), np.random.default_rng(seed))
        codes = {finding.code for finding in result.findings}
        counted["split differs"] += "membership.split-differs" in codes
        counted["leaks"] += bool({"membership.leaks", "membership.leaks-few", "membership.false-dp-claim"} & codes)
        counted["quiet"] += "membership.quiet" in codes
    return counted


def by_difficulty(evidence: Evidence) -> Evidence:
    """The same samples, split by what they look like: the first half of a drift are the members."""
    pool, pooled = evidence.pool, evidence.pool.indices
    drift = evidence.inputs[:, 0] + np.random.default_rng(0).normal(0, 0.7, len(evidence.labels))
    order = pooled[np.argsort(-drift[pooled])]
    member = np.zeros(len(pool.labels), dtype=bool)
    member[order[: len(order) // 2]] = True
    held_out = (pool.member | pool.held_out) & ~member
    return dataclasses.replace(evidence, pool=dataclasses.replace(pool, member=member, held_out=held_out))


def nulls(setting: str, count: int, first: int = 0) -> Counter[str]:
    """Of `count` models that remember nothing, from seed `first` on: alarms by kind, and intervals that hold the truth.
    Every attack runs."""
    counted: Counter[str] = Counter()
    size = SETTINGS[setting]
    for seed in range(first, first + count):
        evidence = World(leak=0.0, seed=10_000 + seed, everything=True, **size).evidence()
        result = Membership(repeats=size["repeats"])(evidence, np.random.default_rng(seed))
        codes = {finding.code for finding in result.findings}
        counted["any finding above info"] += any(one.severity != "info" for one in result.findings)
        for name in ALARMS:
            kinds = {f"membership.{name}"} | ({"membership.leaks-few"} if name == "leaks" else set())
            counted[name] += bool(kinds & codes)
        prior = size["members"] / (size["members"] + size["held_out"])
        truths = {"checkpoint.auc": 0.5, "recipe.auc": 0.5, "checkpoint.advantage": 0.0}
        truths |= {f"checkpoint.precision_at_{rate}pct_fpr": prior for rate in ("1", "0.1")}
        truths |= {f"{scope}.tpr_at_{100 * f:g}pct_fpr": f for scope in ("checkpoint", "recipe") for f in FPRS}
        for name, truth in truths.items():
            counted[name] += result[name].low <= truth <= result[name].high
        low, high = (result.per_sample[f"exposure_{side}"] for side in ("low", "high"))
        counted["exposure intervals"] += int(np.isfinite(low).sum())
        counted["exposure intervals that hold 0"] += int(((low <= 0) & (high >= 0)).sum())
        counted["recipe fails the default gate"] += result["recipe.auc"].low > 0.6
        counted["epsilon above 0"] += result["epsilon.lower_bound"].value > 0
        counted["attacks"] = sum(one.name.startswith("attack.") for one in result.estimates)
        if __name__ == "__main__" and (seed + 1) % 50 == 0:
            print(f"{setting}, {seed + 1} nulls: {dict(counted)}", flush=True)
    return counted


SHIFTED = "shifted split"

if __name__ == "__main__":
    for name in sys.argv[2:] or (*SETTINGS, SHIFTED):
        if name == SHIFTED:
            print(f"{SHIFTED}: {dict(shifted_nulls(int(sys.argv[1])))}")
        else:
            nulls(name, int(sys.argv[1]))
