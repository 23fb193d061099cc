"""Rows of a table that were edited or reordered, among many others: CPU time and memory against their number, and how
many planted copies are found.

    python benchmarks/rows_search.py [--samples 62500 250000 1000000] [--columns 16]

Rows are of independent normal columns, every fourth of which is rounded to a few values; the last ones are copies of
the first, with other rows' values in one column, in a seventh of the columns or in a quarter, or with the columns in
another order. No other pair is a copy. Each number of rows is a process of its own; memory is what no file backs.
"""

from __future__ import annotations

import argparse
import time
from json import dumps
from pathlib import Path

import numpy as np
from figures import arguments, at_sizes, of_search, publish
from setting import Peak

from probes.contamination.edited_rows import edited_rows
from probes.contamination.reordered_rows import reordered_rows

EACH = 500
EDITED = {"one column": 0.0, "a seventh": 1 / 7, "a quarter": 1 / 4}
KINDS = (*EDITED, "reordered")


def data(samples: int, columns: int) -> np.ndarray:
    """float32 [samples columns]."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((samples, columns), dtype=np.float32)
    table[:, ::4] = np.round(table[:, ::4] * 2)
    copies = table[: EACH * len(KINDS)].copy()
    for number, row in enumerate(copies):
        kind = KINDS[number // EACH]
        if kind in EDITED:
            chosen = rng.choice(columns, max(1, int(EDITED[kind] * columns)), replace=False)
            row[chosen] = table[rng.integers(samples), chosen]
        else:
            row[:] = row[rng.permutation(columns)]
    table[-len(copies) :] = copies
    return table


def point(samples: int, columns: int, json: Path) -> None:
    table = data(samples, columns)
    first = samples - EACH * len(KINDS)
    found: dict[str, int] = dict.fromkeys((*KINDS, "other"), 0)
    with Peak() as peak:
        begun, before = peak.own, time.process_time()
        pairs = np.unique(np.concatenate([edited_rows(table), reordered_rows(table)]), axis=0)
    spent = time.process_time() - before
    for one, other in pairs.tolist():
        found[KINDS[one // EACH] if other == first + one else "other"] += 1
    json.write_text(dumps({"spent": spent, "above": (peak.own - begun) / 1e6} | found), encoding="utf-8")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[62_500, 250_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        point(given.samples[0], given.columns, given.json)
        return
    found = at_sizes(__file__, given.samples, columns=given.columns)
    what = f"edited rows among {max(found)} × {given.columns} numbers"
    publish(of_search(what, found, tuple(KINDS), EACH), given.json)


if __name__ == "__main__":
    main()
