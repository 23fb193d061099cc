"""Reconstruction from planted heads and from heads trained on other samples, as rows of docs/membership.md.

python -m tests.probes.reconstruction.measured [HEADS [NULLS]]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from probes.result import Result
from tests.probes.reconstruction.test_probe import audited

RATE = "checkpoint.reconstruction_tpr_at_5pct_fpr"


def row(name: str, found: Sequence[Result]) -> str:
    """The mean AUC, the mean rate where it can be resolved, and how many heads are said to reveal their samples."""
    rates = [one[RATE].value for one in found if one[RATE].caveat is None]
    rate = f"{np.mean(rates):.1%}" if len(rates) > len(found) / 2 else "not resolvable"
    leaks = sum(one.findings[0].code == "reconstruction.leaks" for one in found)
    auc = np.mean([one["checkpoint.reconstruction_auc"].value for one in found])
    return f"| {name} | {auc:.3f} | {rate} | {leaks} of {len(found)} |"


def main() -> None:
    heads, nulls = (int(count) for count in (*sys.argv[1:], "12", "200")[:2])
    for per_class in (1, 2, 3, 4, 8):
        print(row(str(per_class), [audited(per_class, seed) for seed in range(heads)]), flush=True)
    found = [audited(1 + seed % 4, 100 + seed, trained_on_others=True) for seed in range(nulls)]
    print(row("null", found), flush=True)


if __name__ == "__main__":
    main()
