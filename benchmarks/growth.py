"""Head engine: time and peak memory against samples N and replicas R, each point in a separate process.

Memory is what no file backs: inputs and answers beyond a GiB, and the models' inputs, are mapped files.

python benchmarks/growth.py [--samples 1000 10000 100000] [--replicas 16 128 1024] [--features 256] [--epochs 2]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from json import dumps, loads
from pathlib import Path

import numpy as np
from figures import Measured, above_mapped, arguments, growth, publish
from setting import Peak, cpu_used, experiment_of, populate_timed, random_halves

from audit.engines.head import Head
from audit.population.cost_model import price
from probes.large_arrays import empty

CHUNK = 10_000
"""Samples that are drawn at a time."""


def point(samples: int, replicas: int, features: int, epochs: int, workers: int, json: Path | None) -> None:
    rng = np.random.default_rng(0)
    inputs = empty((samples, features), np.float32)
    for start in range(0, samples, CHUNK):
        inputs[start : start + CHUNK] = rng.standard_normal((min(CHUNK, samples - start), features), dtype=np.float32)
    experiment = experiment_of(
        inputs,
        rng.integers(0, 10, samples),
        "table",
        source={"model": "networks:on_features", "options": {"features": features, "num_classes": 10}},
        transfer="features",
        train={"epochs": epochs, "batch_size": 256, "lr": 0.01, "momentum": 0.9},
    )
    rows = random_halves(samples, replicas, 16, rng)
    planned = price(experiment, rows, workers)
    before = cpu_used()
    # Anywhere but in memory, where the store and the arrays beyond memory would count as memory.
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder, Peak() as peak:
        begun = peak.own
        seconds, answers = populate_timed(experiment, rows, Path(folder), workers, Head())
    held = sum(one.margin.nbytes * 6 for one in answers.values())
    spent = cpu_used() - before
    if json is not None:
        told = {"seconds": seconds, "spent": spent, "above": (peak.own - begun) / 1e6, "own": begun / 1e6}
        told |= {"planned_seconds": planned.seconds, "planned_bytes": planned.bytes / 1e6, "peak": peak.own / 1e6}
        json.write_text(dumps(told), encoding="utf-8")
    memory = f"{begun / 1e6:>9.0f} {peak.own / 1e6:>9.0f} {inputs.nbytes / 1e6:>9.0f} {held / 1e6:>10.0f}"
    foreseen = f"{planned.seconds:>9.2f} {planned.bytes / 1e6:>10.0f} {planned.disk / 1e6:>10.0f}"
    print(f"{samples:>9} {replicas:>9} {seconds:>9.2f} {spent:>9.2f} {memory} {foreseen}")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 10000, 100000])
    parser.add_argument("--replicas", type=int, nargs="+", default=[16, 128, 1024])
    parser.add_argument("--features", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        point(given.samples[0], given.replicas[0], given.features, given.epochs, given.workers, given.json)
        return
    heading = "  samples  replicas   seconds processor before MB   peak MB inputs MB answers MB"
    print(heading, "planned s planned MB    disk MB", flush=True)
    fixed = ["--features", str(given.features), "--epochs", str(given.epochs), "--workers", str(given.workers)]
    # Along each axis from the middle of the other; the corners would add no information.
    middle_samples, middle_replicas = (sorted(axis)[len(axis) // 2] for axis in (given.samples, given.replicas))
    points = [(n, middle_replicas) for n in given.samples] + [(middle_samples, r) for r in given.replicas]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "point.json"
        for samples, replicas in dict.fromkeys(points):
            sizes = ["--samples", str(samples), "--replicas", str(replicas), "--json", str(told)]
            subprocess.run([sys.executable, __file__, "--one", *sizes, *fixed], check=True)
            found[samples, replicas] = loads(told.read_text())
    most = (max(given.samples), middle_replicas)
    what = f"head engine, {middle_replicas} replicas on {most[0]} × {given.features} numbers"
    publish(
        [
            Measured(what=f"{what}: CPU time", value=found[most]["spent"], unit="s"),
            growth(what, {samples: found[samples, middle_replicas]["spent"] for samples in given.samples}),
            above_mapped(what, found[most]["above"]),
            Measured(
                what="memory of a process before data are read",
                value=found[min(given.samples), middle_replicas]["own"],
                unit="MB",
                target=400,
                better="lower",
            ),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
