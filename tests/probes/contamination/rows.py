"""Recall and precision on changed copies of rows of tables, as rows of docs/overfitting.md.

    python -m tests.probes.contamination.rows [adult.csv]

Half of the rows are members; a twentieth of the others become changed copies of members.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from probes.contamination.duplicates import near_table
from probes.measures.exact_duplicates import together

SHARE, LARGEST, RUNS = 0.05, 4000, 5
Changed = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""(the rows to change, the table, …) → the changed rows."""


def noisy(by: float) -> Changed:
    """Every column, by a share of its spread; columns of at most 20 values are left."""

    def change(rows: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        many = np.array([len(np.unique(column)) > 20 for column in table.T])
        return np.asarray(rows + by * many * table.std(axis=0) * rng.normal(size=rows.shape))

    return change


def edited(share: float) -> Changed:
    """This share of the columns of each row, at least one, take another row's values."""

    def change(rows: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        found, count = rows.copy(), max(1, int(share * rows.shape[1]))
        for row in found:
            column = rng.choice(rows.shape[1], count, replace=False)
            row[column] = table[rng.integers(0, len(table)), column]
        return found

    return change


def reordered(rows: np.ndarray, table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """All columns in another order."""
    return rows[:, rng.permutation(rows.shape[1])]


CHANGES: dict[str, Changed] = {
    "equal": noisy(0.0),
    "1 % noise": noisy(0.01),
    "20 % noise": noisy(0.2),
    "one column changed": edited(0.0),
    "a seventh changed": edited(1 / 7),
    "a quarter changed": edited(0.25),
    "columns reordered": reordered,
}


def tables(adult: Path | None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {
        "wine": load_wine().data,
        "breast cancer": load_breast_cancer().data,
        "diabetes": load_diabetes().data,
        "normal, 14 columns": rng.normal(size=(2000, 14)),
    }
    if adult is not None:
        import pandas as pd

        columns = pd.read_csv(adult, header=None, skipinitialspace=True).iloc[:LARGEST, :-1]
        found["Adult"] = pd.get_dummies(columns).to_numpy(dtype=np.float64)
    return {name: np.unique(table, axis=0) for name, table in found.items()}


def measured(table: np.ndarray, change: Changed, runs: int = RUNS) -> tuple[int, int, int]:
    """How many copies were planted, held-out rows called copies, and those of them that were planted."""
    planted = found = hits = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(table))
        member, others = order[: len(table) // 2], order[len(table) // 2 :]
        where = others[: max(1, round(SHARE * len(others)))]
        rows = table.copy()
        rows[where] = change(table[rng.choice(member, len(where), replace=False)], table, rng)
        rows = rows.astype(np.float32)
        content = together(rows)[0]
        first = np.unique(content, return_index=True)[1]
        near = near_table(rows[first], None, rng)
        told = np.isin(content, content[member])
        told[np.concatenate([first[near.one], first[near.other]])] = True
        told[member] = False
        planted, found, hits = planted + len(where), found + int(told.sum()), hits + int(told[where].sum())
    return planted, found, hits


def alarms(rows: int, columns: int, runs: int = 40) -> int:
    """Of tables of independent normal columns, how many have a pair of rows that is called a copy."""
    tables = (np.random.default_rng([seed, rows, columns]).normal(size=(rows, columns)) for seed in range(runs))
    return sum(len(near_table(table.astype(np.float32), None, np.random.default_rng(0)).one) > 0 for table in tables)


def main() -> None:
    for name, table in tables(Path(sys.argv[1]) if len(sys.argv) > 1 else None).items():
        cells = []
        for change in CHANGES.values():
            planted, found, hits = measured(table, change)
            cells.append(f"{hits} of {planted}, {found - hits}")
        print(f"| {name} ({len(table)} × {table.shape[1]}) | " + " | ".join(cells) + " |", flush=True)
    for rows, columns in itertools.product((140, 1000), (1, 2, 4, 14, 30)):
        print(f"{rows} × {columns} independent: {alarms(rows, columns)} of 40 have a copy", flush=True)


if __name__ == "__main__":
    main()
