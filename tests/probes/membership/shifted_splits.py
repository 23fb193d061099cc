"""What the membership probe says of models that remember nothing on splits that differ, and on random ones, as rows of
docs/membership.md.

    python -m tests.probes.membership.shifted_splits [KIND ...] [--data FOLDER] [--runs 25] [--samples 120 240 500]
        [--leak NATS] [--alone] [--first SEED]

The margins of all models follow the property in which the parts differ (correlation 0.6), so attacks find it. FOLDER
holds adult.csv, sms_spam.csv and cifar10.npz, whose samples are drawn anew for each run. With --leak, models remember
their members by so many nats: on random splits, that is what the probe should find. With --alone, there are
no replicas.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from probes.answers import answers
from probes.evidence import Evidence, Modality
from probes.membership import Membership
from probes.plan import Pool, Splits
from probes.population import Population
from tests.probes.membership.worlds import stack

REPEATS = 4
CORRELATION, FOLDS = 0.6, -0.65
Split = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Samples, which of them are members, and the property that decides it."""
Made = Callable[[int, np.random.Generator], Split]


def random(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.permutation(np.arange(n) % 2 == 0))


def upper(score: np.ndarray) -> np.ndarray:
    """The half with the highest scores."""
    member = np.zeros(len(score), dtype=bool)
    member[np.argsort(-score, kind="stable")[: len(score) // 2]] = True
    return member


def by_time(n: int, rng: np.random.Generator) -> Split:
    when, rows = rng.permutation(n) / n, rng.normal(size=(n, 20))
    rows[:, 3] += 2 * when
    return rows, when > 0.5, when


def one_of_a_hundred(n: int, rng: np.random.Generator) -> Split:
    member, rows = random(n, rng), rng.normal(size=(n, 100))
    rows[member, 37] += 0.8
    return rows, member, rows[:, 37]


def wider(n: int, rng: np.random.Generator) -> Split:
    member = random(n, rng)
    rows = rng.normal(size=(n, 6)) * (1 + 0.6 * member)[:, None]
    return rows, member, np.abs(rows).mean(axis=1)


def popular(n: int, rng: np.random.Generator) -> Split:
    """Items of a catalogue: members by their popularity, so many of them several times; the others evenly."""
    items, weight, member = rng.normal(size=(60, 6)), np.sort(rng.pareto(1.0, 60)), random(n, rng)
    item = np.where(member, rng.choice(60, n, p=weight / weight.sum()), rng.integers(0, 60, n))
    return items[item], member, np.log(weight[item])


def missing(n: int, rng: np.random.Generator) -> Split:
    member, rows = random(n, rng), rng.normal(size=(n, 6))
    one, other = (rng.random(n) < np.where(member == side, 0.35, 0.05) for side in (True, False))
    rows[one, 2], rows[other, 4] = np.nan, np.nan
    return rows, member, one - 1.0 * other


def filled(n: int, rng: np.random.Generator) -> Split:
    """Missing numbers that were replaced by the median."""
    member, rows = random(n, rng), rng.normal(size=(n, 6))
    lacking = rng.random(n) < np.where(member, 0.4, 0.05)
    rows[lacking, 2] = np.median(rows[:, 2])
    return rows, member, 1.0 * lacking


def together(n: int, rng: np.random.Generator) -> Split:
    """Columns that differ only jointly."""
    rows = rng.normal(size=(n, 4))
    product = rows[:, 0] * rows[:, 1]
    return rows, upper(product + rng.normal(0, 0.7, n)), product


def opposed(n: int, rng: np.random.Generator) -> Split:
    """Columns that correlate on one side and not on the other."""
    member, rows = random(n, rng), rng.normal(size=(n, 8))
    rows[member, 1] = 0.8 * rows[member, 0] + 0.6 * rows[member, 1]
    return rows, member, rows[:, 0] * rows[:, 1]


def agreeing(n: int, rng: np.random.Generator) -> Split:
    """Two columns of 0 and 1 that agree more often among members."""
    member = random(n, rng)
    rows = np.hstack([rng.normal(size=(n, 5)), rng.integers(0, 2, (n, 3))])
    same = rng.random(n) < np.where(member, 0.85, 0.5)
    rows[:, 6] = np.where(same, rows[:, 5], 1 - rows[:, 5])
    return rows, member, 1.0 * same


def dependent(n: int, rng: np.random.Generator) -> Split:
    """A column whose spread follows another column among members only."""
    member, rows = random(n, rng), rng.normal(size=(n, 7))
    rows[member, 2] *= 0.3 + np.abs(rows[member, 4])
    return rows, member, np.abs(rows[:, 2] * rows[:, 4])


def jointly(n: int, rng: np.random.Generator) -> Split:
    """Three columns whose product decides, any two of which tell nothing."""
    rows = rng.normal(size=(n, 5))
    product = np.sign(rows[:, 0] * rows[:, 2] * rows[:, 3])
    return rows, upper(product + rng.normal(0, 0.7, n)), product


def clustered(n: int, rng: np.random.Generator) -> Split:
    """A mixture whose rarer kinds are members more often."""
    kind = rng.integers(0, 6, n)
    member = rng.random(n) < np.linspace(0.15, 0.85, 6)[kind]
    return rng.normal(size=(6, 12))[kind] * 0.7 + rng.normal(size=(n, 12)), member, 1.0 * kind


MADE: dict[str, Made] = {
    "by time, one of 20 columns": by_time,
    "one of 100 columns, by 0.8 deviations": one_of_a_hundred,
    "six columns wider by 0.6": wider,
    "popular items more often": popular,
    "missing numbers": missing,
    "missing numbers, filled": filled,
    "a product of two columns": together,
    "two columns correlated": opposed,
    "kinds of samples": clustered,
    "two columns of 0 and 1 that agree": agreeing,
    "a spread that follows a column": dependent,
    "a product of three columns": jointly,
    "random, 20 heavy-tailed columns": lambda n, rng: (rows := rng.standard_t(3, (n, 20)), random(n, rng), rows[:, 0]),
}


def real(folder: Path) -> dict[str, Made]:
    import pandas as pd

    frame = pd.read_csv(folder / "adult.csv", header=None, skipinitialspace=True)
    adult = pd.get_dummies(frame.iloc[:, :-1]).to_numpy(dtype=np.float64)
    hours = frame.iloc[:, 12].to_numpy(dtype=np.float64)
    with (folder / "sms_spam.csv").open(encoding="utf-8") as file:
        texts = np.array([row["text"] for row in csv.DictReader(file)])
    words = np.array([len(text.split()) for text in texts], dtype=np.float64)
    images = np.load(folder / "cifar10.npz")["images"]
    light = images.mean(axis=(1, 2, 3))

    def split(data: np.ndarray, by: np.ndarray, noise: float | None) -> Made:
        def made(n: int, rng: np.random.Generator) -> Split:
            some = rng.choice(len(data), n, replace=False)
            score = by[some]
            return data[some], random(n, rng) if noise is None else upper(score + rng.normal(0, noise, n)), score

        return made

    def blurred(n: int, rng: np.random.Generator) -> Split:
        some, member = images[rng.choice(len(images), n, replace=False)].astype(np.float64), random(n, rng)
        soft = np.mean([np.roll(some, by, axis=(1, 2)) for by in ((0, 0), (0, 1), (1, 0), (1, 1))], axis=0)
        return np.where(member[:, None, None, None], soft, some).astype(np.uint8), member, 1.0 * member

    def noisy(n: int, rng: np.random.Generator) -> Split:
        some, member = images[rng.choice(len(images), n, replace=False)].astype(np.float64), random(n, rng)
        noise = rng.normal(0, 4, some.shape) * member[:, None, None, None]
        return np.clip(some + noise, 0, 255).astype(np.uint8), member, 1.0 * member

    def turned(n: int, rng: np.random.Generator) -> Split:
        some, member = images[rng.choice(len(images), n, replace=False)], random(n, rng)
        upside = member & (rng.random(n) < 0.6)
        return np.where(upside[:, None, None, None], some[:, ::-1], some), member, -1.0 * upside

    return {
        "Adult by age": split(adult, adult[:, 0], 8.0),
        "Adult by hours": split(adult, hours, 6.0),
        "SMS by length": split(texts, np.log(words), 0.7),
        "CIFAR-10 by brightness": split(images, light, 25.0),
        "CIFAR-10, one part blurred": blurred,
        "CIFAR-10, one part noisy": noisy,
        "CIFAR-10, one part often upside down": turned,
        "random, Adult": split(adult, adult[:, 0], None),
        "random, SMS": split(texts, np.log(words), None),
        "random, CIFAR-10": split(images, light, None),
    }


def evidence(made: Split, rng: np.random.Generator, leak: float = 0.0, repeats: int = REPEATS) -> Evidence:
    inputs, member, driver = made
    n, none = len(member), np.zeros(len(member), dtype=bool)
    pool = Pool(labels=rng.integers(0, 2, n), member=member, held_out=~member, validation=none)
    driven = (driver - driver.mean()) / max(float(driver.std()), 1e-9)
    difficulty = 1 + 1.5 * (CORRELATION * driven + np.sqrt(1 - CORRELATION**2) * rng.normal(size=n))
    rows = tuple(Splits(repeats=repeats).rows(pool, rng))
    deviation, errors = rng.uniform(0.7, 1.7, n), rng.normal(size=(repeats, 2, n))
    errors[:, 1] = FOLDS * errors[:, 0] + np.sqrt(1 - FOLDS**2) * errors[:, 1]
    margins = [difficulty + leak * row.keep + deviation * errors[row.repeat, row.fold] for row in rows]
    parts = [answers(_logits(margin, pool.labels)[None], pool.labels) for margin in margins]
    audited = difficulty + leak * member + deviation * rng.normal(size=n)
    modality: Modality = "image" if inputs.ndim == 4 else "text" if inputs.dtype.kind == "U" else "table"
    return Evidence(
        pool=pool,
        classes=("a", "b"),
        audited=answers(_logits(audited, pool.labels)[None], pool.labels),
        population=Population(rows=rows, answers=stack(parts, n)),
        inputs=inputs.astype(np.float32) if modality == "table" else inputs,
        modality=modality,
    )


def _logits(margin: np.ndarray, labels: np.ndarray) -> np.ndarray:
    logits = np.zeros((len(labels), 2))
    logits[np.arange(len(labels)), labels] = margin
    return logits


def swapped(n: int, rng: np.random.Generator) -> Evidence:
    """A model that leaks, whose members were taken for the held-out samples."""
    found = evidence((rng.normal(size=(n, 6)), random(n, rng), rng.normal(size=n)), rng, leak=1.5)
    pool = dataclasses.replace(found.pool, member=found.pool.held_out, held_out=found.pool.member)
    return dataclasses.replace(found, pool=pool)


def told(make: Callable[[int, np.random.Generator], Evidence], n: int, seeds: range) -> Counter[str]:
    """How many of the runs are said to differ, to leak, to do one or the other, or to be quiet, and have a finding
    above 'info'."""
    counted: Counter[str] = Counter()
    for seed in seeds:
        result = Membership(repeats=REPEATS)(make(n, np.random.default_rng([5, n, seed])), np.random.default_rng(seed))
        codes = {one.code.removeprefix("membership.") for one in result.findings}
        counted["differs"] += bool({"split-differs", "attack-below-half"} & codes)
        counted["leaks"] += bool({"leaks", "leaks-few", "false-dp-claim"} & codes)
        counted["unclear"] += "leaks-or-differs" in codes
        counted["quiet"] += "quiet" in codes
        counted["above info"] += any(one.severity != "info" for one in result.findings)
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--samples", type=int, nargs="+", default=[120, 240, 500])
    parser.add_argument("--leak", type=float, default=0.0)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    kinds = MADE | (real(given.data) if given.data else {})
    repeats = 0 if given.alone else REPEATS
    makes = {
        name: lambda n, rng, made=made: evidence(made(n, rng), rng, given.leak, repeats) for name, made in kinds.items()
    }
    makes["swapped roles"] = swapped
    for name in given.kinds or makes:
        cells = []
        for n in given.samples:
            counted = told(makes[name], n, range(given.first, given.first + given.runs))
            shown = ("differs", "leaks", "unclear", "quiet", "above info")
            cells.append(", ".join(str(counted[what]) for what in shown))
        print(f"| {name} | " + " | ".join(cells) + f" | of {given.runs}", flush=True)


if __name__ == "__main__":
    main()
