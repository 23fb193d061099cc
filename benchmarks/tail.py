"""Tail engine against the full network: ResNet-18 at 64 px, the last stage (residual block) trained.

python benchmarks/tail.py [--mode last:1] [--samples 256] [--epochs 10] [--replicas 12] [--workers 2]
"""

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from setting import experiment_of, populate_timed, random_halves

from audit.engines.full import Full
from audit.engines.tail import Tail


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", default="last:1", help="last:1 is the last residual block, last:2 all of layer4")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--replicas", type=int, default=12)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    experiment = experiment_of(
        rng.integers(0, 256, (given.samples, 64, 64, 3), dtype=np.uint8),
        rng.integers(0, 10, given.samples),
        "image",
        source={"model": "torchvision:resnet18"},
        transfer=given.mode,
        train={"epochs": given.epochs, "batch_size": given.batch, "lr": 0.01},
    )
    rows = random_halves(given.samples, given.replicas, given.replicas, rng)
    seconds, answers = {}, {}
    for engine in (Tail(), Full()):
        with tempfile.TemporaryDirectory() as folder:
            seconds[engine.name], answers[engine.name] = populate_timed(
                experiment, rows, Path(folder), given.workers, engine
            )
    same = all(np.array_equal(answers["tail"][row.name].margin, answers["full"][row.name].margin) for row in rows)
    print(f"{given.replicas} replicas, {given.mode}, stage and store included:", end=" ")
    print(
        f"tail {seconds['tail']:.1f} s, full {seconds['full']:.1f} s, ratio {seconds['full'] / seconds['tail']:.2f};",
        end=" ",
    )
    print("the same bits" if same else "NOT the same bits")


if __name__ == "__main__":
    main()
