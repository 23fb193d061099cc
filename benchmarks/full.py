"""Full engine against a plain DataLoader loop on the same CPUs, and against independent one-thread processes that run
the visible loop: ResNet-20, 2,000 CIFAR-sized images.

python benchmarks/full.py [--images ../shared/data/cifar10.npz] [--epochs 2] [--replicas 8] [--workers 2]

Without --images the images are noise, which takes the same time.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from figures import Measured, arguments, publish
from setting import experiment_of, populate_timed, random_halves
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from audit.engines.full import Full
from audit.runtime.threads import keep_pages, threads
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict_views
from probes.plan import Row

BATCH = 64


def plain(experiment: Experiment, row: Row, workers: int) -> None:
    """The usual implementation: all CPU cores on one model, images from a DataLoader."""
    data = TensorDataset(experiment.inputs[row.keep], experiment.labels[row.keep])
    model = experiment.begin(row).network.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    model.train()
    for _ in range(experiment.recipe.train.epochs):
        for images, labels in DataLoader(data, batch_size=BATCH, shuffle=True, num_workers=workers):
            loss = functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        for shown in experiment.views:  # an audit needs these of every replica
            for start in range(0, len(experiment.inputs), BATCH):
                model(shown(experiment.inputs[start : start + BATCH]))


def make(images: Path | None, epochs: int, replicas: int) -> tuple[Experiment, list[Row]]:
    rng = np.random.default_rng(0)
    stored, labels = rng.integers(0, 256, (4000, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 4000)
    if images:
        with np.load(images, allow_pickle=False) as archive:
            stored, labels = archive["images"][:4000], archive["labels"][:4000].astype(np.int64)
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    experiment = experiment_of(
        stored,
        labels,
        "image",
        source={"model": "cifar_resnet20:resnet20"},
        transfer="parameters",
        train={"epochs": epochs, "batch_size": BATCH, "lr": 0.01, "momentum": 0.9},
    )
    return experiment, random_halves(len(labels), replicas, replicas, rng)


def alone(images: Path | None, epochs: int, start: Connection) -> None:
    """One replica by the visible loop on one thread, once told to start; sends the seconds."""
    with threads(1):
        experiment, rows = make(images, epochs, 1)
        _ = experiment.inputs
        keep_pages()
        start.send("ready")
        start.recv()
        began = time.perf_counter()
        predict_views(fine_tune(experiment, rows[0]).network, experiment)
        start.send(time.perf_counter() - began)


def independent(images: Path | None, epochs: int, processes: int) -> float:
    """Seconds of a replica where each of `processes` processes trains one at the same time, none knowing the others."""
    context = multiprocessing.get_context("spawn")
    ends, started = [], []
    for _ in range(processes):
        mine, theirs = context.Pipe()
        started.append(context.Process(target=alone, args=(images, epochs, theirs), daemon=True))
        started[-1].start()
        ends.append(mine)
    for told in ("ready", "go"):
        for end in ends:
            if told == "ready":
                end.recv()
            else:
                end.send(told)
    taken = [end.recv() for end in ends]
    for process in started:
        process.join()
    return max(taken) / processes


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--images", type=Path, help="an .npz with images and labels")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    experiment, rows = make(given.images, given.epochs, given.replicas)
    torch.set_num_threads(given.workers)
    began = time.perf_counter()
    plain(experiment, rows[0], 0)  # before the engine runs, because it changes the memory allocation of this process
    loop = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = populate_timed(experiment, rows, Path(folder), given.workers, Full())
    each = seconds / given.replicas
    apart = independent(given.images, given.epochs, given.workers)
    what = f"full engine, ResNet-20, {given.replicas} replicas of {given.epochs} epochs"
    publish(
        [
            Measured(what=f"{what}: a DataLoader loop on all cores takes", value=loop / each, unit="times as long"),
            Measured(
                what=f"{what}: of what {given.workers} independent processes take",
                value=each / apart,
                unit="times",
                target=1.1,
                better="lower",
            ),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
