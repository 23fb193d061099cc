"""Tables whose label two columns give away together, and honest ones: what the search finds, as rows of
docs/overfitting.md.

    python -m tests.probes.contamination.column_rules [adult.csv]

Kinds that were not used while the search was written stand last in `PLANTED`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from probes.contamination.column_leakage import leaking_column
from probes.contamination.column_pairs import leaking_pair
from probes.contamination.labelled_table import LabelledTable, columns_of

Table = tuple[np.ndarray, np.ndarray]
"""Columns and labels."""
Rule = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""(rng, n) → two columns and the label that they give away."""


def _numbers(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=n), rng.normal(size=n)


def _codes(rng: np.random.Generator, n: int, values: int) -> tuple[np.ndarray, np.ndarray]:
    return 1.0 * rng.integers(0, values, n), 1.0 * rng.integers(0, values, n)


def of_numbers(rule: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Rule:
    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y = _numbers(rng, n)
        return x, y, rule(x, y).astype(np.int64)

    return make


def of_codes(values: int, rule: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Rule:
    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y = _codes(rng, n, values)
        return x, y, rule(x, y).astype(np.int64)

    return make


def _fine_difference(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, label = rng.uniform(0, 1e6, n), rng.integers(0, 2, n)
    return x, x + label * rng.uniform(1, 9, n), label


def _label_is_difference(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, label = rng.uniform(0, 1e3, n), rng.integers(0, 3, n)
    return x, x + label, label


def _equal_or_not(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = _codes(rng, n, 10)
    y = np.where(rng.random(n) < 0.5, x, y)
    return x, y, (x == y).astype(np.int64)


def _rare(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, label = rng.integers(0, 2, n), (rng.random(n) < 0.05).astype(np.int64)
    return 1.0 * x, 1.0 * (x ^ label), label


def _masked(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A code to which a key of seven values was added."""
    key, label = rng.integers(0, 7, n), rng.integers(0, 7, n)
    return 1.0 * key, 1.0 * ((key + label) % 7), label


def _with_errors(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = _codes(rng, n, 2)
    return x, y, np.where(rng.random(n) < 0.01, x == y, x != y).astype(np.int64)


def _missing(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The label says whether exactly one of two numbers is missing."""
    x, y = _numbers(rng, n)
    x[rng.random(n) < 0.5] = np.nan
    y[rng.random(n) < 0.5] = np.nan
    return x, y, (np.isnan(x) != np.isnan(y)).astype(np.int64)


def _converted(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One quantity in two units, the second raised a little where the label is 1."""
    x, label = rng.normal(170, 10, n), rng.integers(0, 2, n)
    return x, x / 2.54 + 0.05 * label, label


def _sum_of_shares(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = rng.uniform(0, 100, n), rng.uniform(0, 100, n)
    return x, y, np.digitize(x + y, [70, 110, 150])


PLANTED: dict[str, Rule] = {
    "exclusive or": of_codes(2, np.not_equal),
    "signs differ": of_numbers(lambda x, y: (x > 0) != (y > 0)),
    "x + y > 0": of_numbers(lambda x, y: x + y > 0),
    "2x − 3y > 1": of_numbers(lambda x, y: 2 * x - 3 * y > 1),
    "x > y, a millionth apart": _fine_difference,
    "y − x, three classes": _label_is_difference,
    "a class a pair, 3 × 3": of_codes(3, lambda x, y: 3 * x + y),
    "(x + y) mod 4": of_codes(4, lambda x, y: (x + y) % 4),
    "x y > 0.3": of_numbers(lambda x, y: x * y > 0.3),
    "x² + y² > 1.4": of_numbers(lambda x, y: x * x + y * y > 1.4),
    "equal or not, 10 values": _equal_or_not,
    "exclusive or, 5 % positive": _rare,
    "exclusive or, 1 % wrong": _with_errors,
    # Held back.
    "a code behind a key, 7 × 7": _masked,
    "one missing, not both": _missing,
    "two units, a little apart": _converted,
    "x + y in four steps": _sum_of_shares,
    "both above −0.5": of_numbers(lambda x, y: (x > -0.5) & (y > -0.5)),
    "farther than 1 apart": of_numbers(lambda x, y: np.abs(x - y) > 1),
    "x > y³": of_numbers(lambda x, y: x > y**3),
}


def planted(rule: Rule, rng: np.random.Generator, n: int, columns: int) -> Table:
    """A table of independent normal columns, two of which follow the rule."""
    table = rng.normal(size=(n, columns))
    first, second = rng.choice(columns, 2, replace=False)
    table[:, first], table[:, second], labels = rule(rng, n)
    return table, labels


def noise(rng: np.random.Generator, n: int, columns: int, values: int, classes: int) -> Table:
    """Labels that no column says anything of; `values` of each column, 0 for normal numbers."""
    table = rng.normal(size=(n, columns)) if not values else 1.0 * rng.integers(0, values, (n, columns))
    return table, rng.permutation(np.arange(n) % classes)


def easy(rng: np.random.Generator, n: int, apart: float) -> Table:
    """Two classes, six of twenty columns apart by so many standard deviations: a task that several columns tell."""
    labels = rng.permutation(np.arange(n) % 2)
    table = rng.normal(size=(n, 20))
    table[:, :6] += apart * labels[:, None]
    return table, labels


def suspected(table: Table, seed: int, names: tuple[str, ...] = ()) -> tuple[bool, bool, bool]:
    """Whether a pair is judged, is a finding at 95 %, and whether a single column is one at an AUC of 0.95; half of the
    rows are members."""
    rng = np.random.default_rng(seed)
    values, labels = table
    member = np.isin(np.arange(len(labels)), rng.permutation(len(labels))[: len(labels) // 2])
    named = columns_of(values, names or tuple(str(i) for i in range(values.shape[1])))
    searched = LabelledTable(values=values, columns=named, labels=labels, member=member, held_out=~member)
    one = leaking_column(searched, rng, 0.95)
    if one is None:
        # No class on both sides.
        return False, False, False
    found = leaking_pair(searched, rng, 0.95, one.others)
    judged = found.judged
    return judged is not None, judged is not None and judged.value > 0.95, one.estimate.value > 0.95


def honest(adult: Path | None) -> Iterator[tuple[str, Callable[[np.random.Generator], Table], int, tuple[str, ...]]]:
    for n, columns, values, classes, runs in (
        (60, 10, 0, 2, 100),
        (60, 50, 2, 2, 100),
        (60, 200, 0, 2, 40),
        (60, 200, 6, 2, 40),
        (300, 100, 0, 3, 40),
        (300, 200, 2, 2, 100),
        (1000, 200, 0, 2, 10),
        (1000, 100, 6, 6, 20),
    ):
        kind = {0: "normal"}.get(values, f"of {values} values")
        title = f"noise, {n} × {columns} {kind}, {classes} classes: {columns * (columns - 1) // 2} pairs"
        yield title, lambda rng, at=(n, columns, values, classes): noise(rng, *at), runs, ()  # type: ignore[misc]
    for apart in (1.5, 2.0, 2.5, 3.0, 3.5):
        for n in (100, 600):
            yield f"easy, {apart} apart, {n} × 20", lambda rng, at=(n, apart): easy(rng, *at), 50, ()  # type: ignore[misc]
    for name, load in {
        "iris": load_iris,
        "wine": load_wine,
        "breast cancer": load_breast_cancer,
        "digits": load_digits,
    }.items():
        data = load()
        yield name, lambda rng, one=(data.data, data.target): one, 10 if name == "digits" else 100, ()  # type: ignore[misc]
    if adult is not None:
        import pandas as pd

        rows = pd.read_csv(adult, header=None, skipinitialspace=True).iloc[:6000]
        label = pd.factorize(rows.iloc[:, -1])[0]
        told = pd.get_dummies(rows.iloc[:, :-1], prefix_sep="=")
        table = told.to_numpy(dtype=np.float64)
        yield "Adult, 6,000 rows", lambda rng: (table, label), 5, tuple(str(one) for one in told.columns)


def main() -> None:
    for name, rule in PLANTED.items():
        cells = []
        for n in (120, 600, 4000):
            runs = 20 if n < 1000 else 5
            tables = (planted(rule, np.random.default_rng(1000 + seed), n, 30) for seed in range(runs))
            found = [suspected(table, seed)[1] for seed, table in enumerate(tables)]
            cells.append(f"{sum(found)} of {len(found)}")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    for title, make, runs, names in honest(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        said = [suspected(make(np.random.default_rng(5000 + seed)), seed, names) for seed in range(runs)]
        judged, found, single = (sum(one) for one in zip(*said, strict=True))
        print(f"| {title} | {judged} of {runs} | {found} of {runs} | {single} of {runs} |", flush=True)


if __name__ == "__main__":
    main()
