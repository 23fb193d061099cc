"""False alarms of the membership probe on real answers that remember nothing.

    python benchmarks/membership_nulls.py [--data FOLDER] [--splits 30]

The transfers of `membership_power.py`. Of each, the 400 samples that trained no model are split at random into 160
members, 160 held out and 80 for validation, anew for each audit, as are the masks of four repeats of two of the
replicas; so all models are equal with respect to them. Counts findings above 'info', and intervals that hold 0.5.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from membership_power import UNSEEN, answered, transfers

from probes.answers import Answers
from probes.evidence import Evidence
from probes.membership import Membership
from probes.plan import Pool, Row
from probes.population import Population

REPLICAS, TARGETS, REPEATS = 32, 12, 4
MEMBERS, POOL = 160, 320


def audit(
    x: np.ndarray, y: np.ndarray, own: Answers, others: list[tuple[Answers, Answers]], rng: np.random.Generator
) -> Counter[str]:
    """One random split; `others` are the answers of both replicas of each repeat."""
    order = rng.permutation(UNSEEN)
    samples, place = len(x) - UNSEEN + order, np.arange(UNSEEN)
    pool = Pool(
        labels=y[samples],
        member=place < MEMBERS,
        held_out=(place >= MEMBERS) & (place < POOL),
        validation=place >= POOL,
    )
    rows = []
    for repeat in range(REPEATS):
        inside = np.zeros(UNSEEN, dtype=bool)
        inside[rng.permutation(POOL)[:MEMBERS]] = True
        for fold, keep in enumerate((inside, ~inside & (place < POOL))):
            rows.append(Row(design="splits", repeat=repeat, fold=fold, order=f"splits/{repeat}", keep=keep))
    drawn = [one for number in rng.permutation(len(others))[:REPEATS] for one in others[number]]
    evidence = Evidence(
        pool=pool,
        classes=tuple(str(number) for number in range(int(y.max()) + 1)),
        audited=own.on(samples),
        population=Population(rows=tuple(rows), answers=joined(drawn).on(samples)),
        inputs=x[samples],
        modality="table",
    )
    result = Membership(repeats=REPEATS, inside=False)(evidence, rng)
    codes = {one.code for one in result.findings if one.severity != "info"}
    counted = Counter({"audits": 1, "any finding above info": int(bool(codes)), **dict.fromkeys(codes, 1)})
    for name in ("checkpoint.auc", "recipe.auc"):
        counted[f"{name} holds 0.5"] += result[name].low <= 0.5 <= result[name].high
    return counted


def joined(parts: list[Answers]) -> Answers:
    names = ("log_prob", "margin", "entropy", "modified_entropy", "confidence", "predicted")
    return Answers(**{name: np.concatenate([getattr(one, name) for one in parts]) for name in names})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with location30.npz, adult.csv, ...")
    parser.add_argument("--splits", type=int, default=30)
    given = parser.parse_args()
    total: Counter[str] = Counter()
    for name, data in transfers(given.data):
        x, y, rows, targets, found = answered(name, data, REPLICAS, TARGETS)
        pairs = [(found[one.name], found[other.name]) for one, other in zip(rows[::2], rows[1::2], strict=True)]
        counted: Counter[str] = Counter()
        for number in range(given.splits):
            own = found[targets[number % TARGETS].name]
            counted += audit(x, y, own, pairs, np.random.default_rng([number, len(x)]))
        print(f"  {dict(counted)}", flush=True)
        total += counted
    print(dict(total))


if __name__ == "__main__":
    main()
