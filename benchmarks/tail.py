"""Tail engine against the full network: ResNet-18 at 64 px, the last stage (residual block) trained.

python benchmarks/tail.py [--mode last:1] [--samples 256] [--epochs 10] [--replicas 12] [--workers 2]
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from figures import Measured, arguments, publish
from setting import experiment_of, populate_timed, random_halves

from audit.engines.full import Full
from audit.engines.tail import Tail


def main() -> None:
    parser = arguments(__doc__)
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
    same = np.mean([np.array_equal(answers["tail"][one.name].margin, answers["full"][one.name].margin) for one in rows])
    what = f"tail engine, ResNet-18 at 64 px, {given.mode}, {given.replicas} replicas"
    ratio = seconds["full"] / seconds["tail"]
    publish(
        [
            Measured(what=f"{what}: the full engine takes", value=ratio, unit="times as long", target=2.5),
            Measured(what=f"{what}: answers with the same bits", value=100 * float(same), unit="%", target=100),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
