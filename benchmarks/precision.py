"""Whether bfloat16 and torch.compile help on this device: seconds per epoch of the visible loop, compared with float32.

    python benchmarks/precision.py [--threads 2]

ResNet-18 on 256 random images of 32 × 32, minibatches of 64; the fastest of three epochs after the first, in which
code is compiled.
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import torch
from setting import experiment_of

from audit.runtime.devices import device
from audit.training.loop import fine_tune

OPTIONS: dict[str, dict[str, object]] = {
    "float32": {},
    "bfloat16": {"precision": "bfloat16"},
    "float32, compiled": {"compile": True},
    "bfloat16, compiled": {"precision": "bfloat16", "compile": True},
}


def seconds_an_epoch(options: dict[str, object]) -> tuple[float, float]:
    """Seconds of the first epoch, and the minimum of the others."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (512, 32, 32, 3), dtype=np.uint8)
    experiment = experiment_of(
        images,
        rng.integers(0, 10, 512),
        "image",
        source={"model": "torchvision:resnet18"},
        train={"epochs": 4, "batch_size": 64, "lr": 0.01} | options,
    )
    experiment = dataclasses.replace(experiment, device=device())
    ended = [time.perf_counter()]
    fine_tune(experiment, experiment.audited_row(), lambda *_: ended.append(time.perf_counter()))
    taken = np.diff(ended)
    return float(taken[0]), float(taken[1:].min())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(arguments.parse_args().threads)
    print(f"{device()}, torch {torch.__version__}")
    plain = None
    for name, options in OPTIONS.items():
        first, later = seconds_an_epoch(options)
        plain = plain or later
        print(f"{name:20} {later:6.2f} s an epoch, {plain / later:.2f}x; the first {first:.1f} s", flush=True)


if __name__ == "__main__":
    main()
