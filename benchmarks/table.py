"""All figures that have a target, as one table: ratios within one run, beside this machine's own limits.

    python benchmarks/table.py [--json FILE] [--only head stacked]

Twenty minutes on two idle cores. A benchmark that fails leaves its row empty, and the others go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from figures import arguments
from rich.console import Console
from rich.table import Table
from setting import gemm_peak, processor

HERE = Path(__file__).parent
BENCHMARKS: dict[str, list[str]] = {
    "verdict": [],
    "judging": [],
    "python_and_shell": [],
    "observing": ["--networks", "ShuffleNet at 32 px"],
    "head": [],
    "stacked": [],
    "tail": [],
    "full": ["--epochs", "1"],
    "growth": ["--replicas", "16", "64", "256"],
    "cost_model": [],
    "audit_growth": ["--samples", "4000", "16000"],
    "images_growth": ["--samples", "20000", "40000"],
    "contamination_search": ["--samples", "20000"],
}
"""In this order, with these arguments. The others compare methods, not times, or need files; docs/ names them."""


def limits() -> dict[str, Any]:
    """What this machine does at most."""
    threads = os.cpu_count() or 1
    array = torch.ones(1 << 26)
    copy = torch.empty_like(array)
    began = time.perf_counter()
    for _ in range(5):
        copy.copy_(array)
    bandwidth = 5 * 2 * 4 * len(array) / (time.perf_counter() - began)
    with tempfile.TemporaryFile() as file:
        taken = []
        for _ in range(20):
            file.write(b"0" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return {
        "processor": processor(),
        "torch": torch.__version__,
        "transfer-audit": version("transfer-audit"),
        "square products, one thread each": f"{gemm_peak(threads) / 1e9:.0f} GFLOP/s",
        "copying memory, one thread": f"{bandwidth / 1e9:.1f} GB/s",
        "flushing 4 KiB to the disk": f"{1e3 * sorted(taken)[10]:.1f} ms",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    given = parser.parse_args()
    screen = Console()
    found: dict[str, Any] = {"machine": limits(), "figures": {}}
    table = Table("benchmark", "figure", "value", "target", "reached")
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only:
            screen.print(f"{name} ...")
            told = Path(folder) / f"{name}.json"
            line = [sys.executable, str(HERE / f"{name}.py"), *BENCHMARKS[name], "--json", str(told)]
            done = subprocess.run(line, check=False, capture_output=True, text=True)
            if done.returncode:
                table.add_row(name, (done.stderr.strip().splitlines() or ["failed"])[-1], "", "", "failed")
                continue
            found["figures"][name] = rows = json.loads(told.read_text())
            for row in rows:
                target = (
                    "" if row["target"] is None else f"{'≥' if row['better'] == 'higher' else '≤'} {row['target']:g}"
                )
                reached = {None: "", True: "yes", False: "no"}[row["reached"]]
                table.add_row(name, row["what"], f"{row['value']:.3g} {row['unit']}", target, reached)
    for name, value in found["machine"].items():
        screen.print(f"{name}: {value}", highlight=False)
    screen.print(table)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
