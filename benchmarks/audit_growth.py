"""A whole audit of a table of 64 columns, an MLP with all its replicas and two workers: time and memory against the
number of samples.

    python benchmarks/audit_growth.py [--samples 1000 4000 16000 64000]

Each audit is a process of its own that starts with an empty store. Memory is what no file backs, at most: data, answers
and scores of more than some MiB are mapped files.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Measured, above_mapped, arguments, growth, publish
from setting import Peak

FEATURES, CLASSES = 64, 10
RECIPE = f"""
transfer = "parameters"

[data]
kind = "npz"
path = "table.npz"
inputs = ["features"]
modality = "table"

[split]
members = 0.5
held_out = 0.5

[input]
normalise = "members"

[source]
model = "networks:mlp"
options = {{features = {FEATURES}, hidden = 128, num_classes = {CLASSES}}}

[train]
epochs = 3
batch_size = 128
lr = 1e-3
optimizer = "adam"
"""


def table(folder: Path, samples: int) -> None:
    """Classes in clusters that overlap."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, samples)
    features = rng.standard_normal((samples, FEATURES), dtype=np.float32)
    features += 0.4 * rng.standard_normal((CLASSES, FEATURES), dtype=np.float32)[labels]
    np.savez(folder / "table.npz", features=features, labels=labels)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    shutil.copy(Path(__file__).with_name("networks.py"), folder)


def audited(samples: int) -> tuple[float, float, float]:
    """(seconds, CPU seconds, largest MB that no file backs) of `audit run` on so many samples."""
    audit = str(Path(sys.executable).with_name("audit"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        folder = Path(name)
        table(folder, samples)
        run = {"cwd": folder, "check": False, "stdout": subprocess.DEVNULL}
        subprocess.run([audit, "finetune", "recipe.toml", "-o", "ckpt.pt"], **run)
        line = [
            audit,
            "run",
            "-m",
            "ckpt.pt",
            "-o",
            "report",
            "--store",
            "store",
            "--workers",
            "2",
            "--trust-code",
            "--quiet",
        ]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        with subprocess.Popen(line, cwd=folder, stdout=subprocess.DEVNULL) as process, Peak(process.pid) as peak:
            code = process.wait()
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if code not in (0, 1, 3):
        raise SystemExit(f"audit run ended with {code}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak.own / 1e6


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 4000, 16_000, 64_000])
    given = parser.parse_args()
    print(" samples   seconds       CPU        MB", flush=True)
    found = {}
    for samples in sorted(given.samples):
        found[samples] = seconds, cpu, memory = audited(samples)
        print(f"{samples:>8} {seconds:>9.1f} {cpu:>9.1f} {memory:>9.0f}", flush=True)
    most = max(found)
    what = f"a whole audit of {most} rows of {FEATURES} columns"
    publish(
        [
            Measured(what=what, value=found[most][0], unit="s"),
            above_mapped(what, found[most][2]),
            growth(what, {samples: cpu for samples, (_, cpu, _) in found.items()}),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
