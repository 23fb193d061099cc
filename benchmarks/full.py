"""Full engine against a plain DataLoader loop on the same CPUs: ResNet-20, 2,000 CIFAR-sized images.

python benchmarks/full.py [--images ../shared/data/cifar10.npz] [--epochs 2] [--replicas 8] [--workers 2]

Without --images the images are noise, which takes the same time.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from setting import experiment_of, populate_timed, random_halves
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from audit.engines.full import Full
from audit.training.experiment import Experiment
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="an .npz with images and labels")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (4000, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 4000)
    if given.images:
        with np.load(given.images, allow_pickle=False) as archive:
            images, labels = archive["images"][:4000], archive["labels"][:4000].astype(np.int64)
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    experiment = experiment_of(
        images,
        labels,
        "image",
        source={"model": "cifar_resnet20:resnet20"},
        transfer="parameters",
        train={"epochs": given.epochs, "batch_size": BATCH, "lr": 0.01, "momentum": 0.9},
    )
    rows = random_halves(len(labels), given.replicas, given.replicas, rng)
    torch.set_num_threads(given.workers)
    found = {}
    for loaders in (0, 1):  # before the engine runs, because it changes the memory allocation of this process
        began = time.perf_counter()
        plain(experiment, rows[0], loaders)
        found[loaders] = (time.perf_counter() - began) * given.replicas
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = populate_timed(experiment, rows, Path(folder), given.workers, Full())
    print(f"{given.replicas} replicas on 2,000 images, {given.epochs} epochs: full engine {seconds:.1f} s")
    for loaders, plain_seconds in found.items():
        print(f"DataLoader with {loaders} workers: {plain_seconds:.1f} s, ratio {plain_seconds / seconds:.2f}")


if __name__ == "__main__":
    main()
