"""What the membership probe says of models whose samples have copies, as rows of docs/membership.md.

    python -m tests.probes.membership.copied [--runs 100] [--leak NATS] [--first SEED] [--alone] [KIND ...]

With --leak, models remember their members by so many nats, otherwise nothing; with --alone, there are no replicas.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np

from probes.answers import answers
from probes.evidence import Evidence
from probes.membership import Membership
from probes.plan import Pool, Splits
from probes.population import Population
from tests.probes.membership.worlds import stack

REPEATS, COLUMNS = 4, 6


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Members and held-out samples, of which each `distinct` one occurs `copies` times on its side.

    distinct  members and held-out samples that are not copies of one another
    copies    how often each member, and each held-out sample, occurs
    jitter    standard deviation of what is added to the columns of a copy; 0, the default, for exact copies
    own       standard deviation of what a model adds to the margin of each copy alone, in nats; none by default
    share     of the distinct samples of a side that have copies; all by default
    divided   whether samples are split after they were copied, one by one
    """

    distinct: tuple[int, int]
    copies: tuple[int, int]
    jitter: float = 0.0
    own: float = 0.0
    share: float = 1.0
    divided: bool = False

    def evidence(self, seed: int, leak: float = 0.0, repeats: int = REPEATS) -> Evidence:
        rng = np.random.default_rng([7, seed])
        each = [
            np.where(rng.permutation(count) < self.share * count, times, 1)
            for count, times in zip(self.distinct, self.copies, strict=True)
        ]
        original = np.repeat(np.arange(sum(self.distinct)), np.concatenate(each))
        member = original < self.distinct[0]
        mixed = rng.permutation(len(original))
        original, member = original[mixed], rng.permutation(member) if self.divided else member[mixed]
        n, sources = len(original), sum(self.distinct)
        pool = Pool(
            labels=rng.integers(0, 2, sources)[original],
            member=member,
            held_out=~member,
            validation=np.zeros(n, dtype=bool),
        )
        difficulty = rng.normal(1, 1.5, sources)
        columns = rng.normal(size=(sources, COLUMNS))
        columns[:, 0] += difficulty
        rows = tuple(Splits(repeats=repeats).rows(pool, rng)) if repeats else ()
        deviation = rng.uniform(0.7, 1.7, sources)

        def logits(keep: np.ndarray) -> np.ndarray:
            trained = np.bincount(original, weights=keep, minlength=sources) > 0
            told = difficulty + leak * trained + deviation * rng.normal(size=sources)
            margin = told[original] + rng.normal(0, self.own, n)
            found = np.zeros((1, n, 2))
            found[0, np.arange(n), pool.labels] = margin
            return found

        parts = [answers(logits(row.keep), pool.labels) for row in rows]
        return Evidence(
            pool=pool,
            classes=("a", "b"),
            audited=answers(logits(member), pool.labels),
            population=Population(rows=rows, answers=stack(parts, n)),
            inputs=(columns[original] + rng.normal(0, self.jitter, (n, COLUMNS))).astype(np.float32),
            modality="table",
        )


KINDS = {
    "members twice": Copied(distinct=(60, 120), copies=(2, 1)),
    "members five times": Copied(distinct=(40, 120), copies=(5, 1)),
    "held-out samples three times": Copied(distinct=(120, 50), copies=(1, 3)),
    "both three times": Copied(distinct=(50, 50), copies=(3, 3)),
    "a third of the members four times": Copied(distinct=(80, 120), copies=(4, 1), share=1 / 3),
    "members three times, nearly": Copied(distinct=(50, 120), copies=(3, 1), jitter=0.05, own=0.3),
    "both four times, nearly": Copied(distinct=(40, 40), copies=(4, 4), jitter=0.05, own=0.3),
    "both three times, split afterwards": Copied(distinct=(50, 50), copies=(3, 3), divided=True),
}


def told(kind: Copied, seeds: range, leak: float, repeats: int) -> Counter[str]:
    """How many of the runs have each finding, and one above 'info'."""
    counted: Counter[str] = Counter()
    for seed in seeds:
        evidence = kind.evidence(seed, leak, repeats)
        result = Membership(repeats=REPEATS)(evidence, np.random.default_rng(seed))
        counted.update({one.code.removeprefix("membership.") for one in result.findings})
        counted["above info"] += any(one.severity != "info" for one in result.findings if one.code != ALONE)
        counted["holds"] += result["checkpoint.auc"].low <= 0.5 <= result["checkpoint.auc"].high
    return counted


ALONE = "membership.no-replicas"
SHOWN = ("leaks", "leaks-few", "leaks-or-differs", "split-differs", "attack-below-half", "quiet", "above info", "holds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--leak", type=float, default=0.0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args()
    print(f"| of {given.runs} | " + " | ".join(SHOWN) + " |")
    for name in given.kinds or KINDS:
        seeds = range(given.first, given.first + given.runs)
        counted = told(KINDS[name], seeds, given.leak, 0 if given.alone else REPEATS)
        print(f"| {name} | " + " | ".join(str(counted[what]) for what in SHOWN) + " |", flush=True)


if __name__ == "__main__":
    main()
