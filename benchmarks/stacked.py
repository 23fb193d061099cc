"""Stacked engine against a plain loop: 64 MLPs 64-128-10, 600 of 1200 digits each, Adam 1e-3, batch 64, 100 epochs.

python benchmarks/stacked.py [--models 64] [--plain 6] [--workers 2]

Loop and engine alternate, and the fastest run of each counts, because other work on the machine slows them unevenly.
CPU time excludes waiting, so it shows what two idle cores would achieve.
"""

import audit  # noqa: F401  # isort: skip  # before torch, as in the command, which otherwise cannot fork

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from figures import Measured, arguments, publish
from setting import cpu_seconds, cpu_used, experiment_of, populate_timed, random_halves
from sklearn.datasets import load_digits
from torch.nn import functional

from audit.engines.stacked import Stacked
from audit.training.experiment import Experiment
from probes.plan import Row

TURNS, BATCH = 3, 64
ABREAST = 16
"""Networks that the engine trains side by side."""


def plain(experiment: Experiment, row: Row) -> float:
    """Training accuracy of a model trained by a plain loop without a DataLoader."""
    train = experiment.recipe.train
    torch.manual_seed(row.repeat)
    inputs, labels = experiment.inputs[row.keep], experiment.labels[row.keep]
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=train.lr)
    for _ in range(train.epochs):
        for batch in torch.randperm(len(inputs)).split(train.batch_size):
            loss = functional.cross_entropy(model(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return float((model(inputs).argmax(1) == labels).float().mean())


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--models", type=int, default=64)
    parser.add_argument("--plain", type=int, default=6, help="models of the plain loop that are timed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    digits = load_digits()
    experiment = experiment_of(
        (digits.data[:1200] / 16).astype(np.float32),
        digits.target[:1200],
        "table",
        source={"model": "networks:mlp", "options": {"features": 64, "hidden": 128, "num_classes": 10}},
        transfer="parameters",
        train={"epochs": 100, "batch_size": BATCH, "lr": 1e-3, "optimizer": "adam"},
    )
    rows = random_halves(1200, given.models, given.models, np.random.default_rng(0))
    each, engine, accuracy = [], [], []
    each_busy, engine_busy = [], []
    for turn in range(TURNS):
        torch.set_num_threads(1)
        for row in rows[turn : given.plain : TURNS]:
            began, busy = time.perf_counter(), time.process_time()
            accuracy.append(plain(experiment, row))
            each.append(time.perf_counter() - began)
            each_busy.append(time.process_time() - busy)
        busy = cpu_used()
        with tempfile.TemporaryDirectory() as folder:
            spent, found = populate_timed(experiment, rows, Path(folder), given.workers, Stacked())
        engine.append(spent)
        engine_busy.append(cpu_used() - busy)
    seconds, plain_seconds = min(engine), min(each) * given.models
    hits = [found[row.name].correct(experiment.dataset.labels)[0][row.keep].mean() for row in rows]
    loop_busy, stack_busy = min(each_busy) * given.models, min(engine_busy)
    steps = 100 * -(-600 // BATCH) * given.models / ABREAST
    what = f"stacked engine, {given.models} MLPs"
    publish(
        [
            Measured(
                what=f"{what}, {given.workers} workers: a plain one-thread loop takes",
                value=plain_seconds / seconds,
                unit="times as long",
                target=6,
            ),
            Measured(what=f"{what}: CPU time of the loop", value=loop_busy / stack_busy, unit="times the engine's"),
            Measured(
                what=f"{what}: products at their own rate, of all CPU time",
                value=100 * steps * product_seconds() / stack_busy,
                unit="%",
                target=60,
            ),
            Measured(
                what=f"{what}: training accuracy, away from the loop's by",
                value=abs(float(np.mean(hits) - np.mean(accuracy))),
                unit="",
                target=0.01,
                better="lower",
            ),
        ],
        given.json,
    )


def product_seconds() -> float:
    """CPU seconds of a step's five batched products, for as many networks as the engine trains side by side."""
    inputs, first, second = torch.rand(ABREAST, BATCH, 64), torch.rand(ABREAST, 64, 128), torch.rand(ABREAST, 128, 10)
    hidden, error = torch.rand(ABREAST, BATCH, 128), torch.rand(ABREAST, BATCH, 10)
    return cpu_seconds(
        lambda: (
            torch.bmm(inputs, first),
            torch.bmm(hidden, second),
            torch.bmm(hidden.mT, error),
            torch.bmm(error, second.mT),
            torch.bmm(inputs.mT, hidden),
        )
    )


if __name__ == "__main__":
    main()
