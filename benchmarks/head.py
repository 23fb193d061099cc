"""Head engine against a plain DataLoader loop over heads: 256 heads, 2000 × 512 features, 10 classes, 20 epochs.

python benchmarks/head.py [--heads 256] [--orders 16] [--plain 24] [--workers 2]

Two designs: 16 repeats of 16-fold cross-validation, which an audit trains if members are 15/16 of the pool; and random
halves, for which the engine multiplies twice as many samples as the loop, because half are masked out.
"""

import audit  # noqa: F401  # isort: skip  # before torch, as in the command, which otherwise cannot fork

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from figures import Measured, arguments, publish
from setting import cpu_seconds, cpu_used, experiment_of, populate_timed, random_halves, repeated_folds
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from audit.engines.head import Head
from audit.training.experiment import Experiment
from probes.answers import answers
from probes.membership.lira import lira_scores
from probes.plan import Row
from probes.statistics.roc import auc

SAMPLES, FEATURES, CLASSES, EPOCHS, BATCH = 2000, 512, 10, 20, 256
TURNS = 4


def plain_head(experiment: Experiment, row: Row) -> np.ndarray:
    """The usual implementation."""
    train = experiment.recipe.train
    data = TensorDataset(experiment.inputs[row.keep], experiment.labels[row.keep])
    loader = DataLoader(data, batch_size=train.batch_size, shuffle=True)
    torch.manual_seed(row.repeat)
    model = torch.nn.Linear(FEATURES, CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=train.lr, momentum=train.momentum)
    for _ in range(train.epochs):
        for inputs, labels in loader:
            loss = functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return model(experiment.inputs).numpy()


def auc_of(phi: np.ndarray, others: np.ndarray, truth: np.ndarray, keep: np.ndarray) -> float:
    score = lira_scores(phi, others, keep, variance="global")
    return auc(score, truth).value


def mean_auc(margin: np.ndarray, keep: np.ndarray) -> float:
    """LiRA's mean AUC, over the first eight replicas, each attacked with all others."""
    found = []
    for target in range(8):
        others = np.arange(len(margin)) != target
        found.append(auc_of(margin[target], margin[others], keep[target], keep[others]))
    return float(np.mean(found))


def product_seconds(replicas: int, steps: int) -> float:
    """CPU seconds of an order's products: two in each step, for this many replicas at once on a piece of the pool, and
    one for their answers about all samples."""
    batch = -(-SAMPLES // steps)
    weight, inputs = torch.rand(replicas * CLASSES, FEATURES), torch.rand(batch, FEATURES)
    error, logits, gradient = torch.rand(replicas * CLASSES, batch), torch.empty(len(weight), batch), weight.clone()
    step = cpu_seconds(lambda: (torch.mm(weight, inputs.T, out=logits), torch.mm(error, inputs, out=gradient)))
    everyone, answers = torch.rand(SAMPLES, FEATURES), torch.empty(SAMPLES, len(weight))
    answer = cpu_seconds(lambda: torch.mm(everyone, weight.T, out=answers), times=20)
    return EPOCHS * steps * step + answer


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--heads", type=int, default=256)
    parser.add_argument("--orders", type=int, default=16)
    parser.add_argument("--plain", type=int, default=24, help="heads of the plain loop that are timed and attacked")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, SAMPLES)
    centres = rng.normal(size=(CLASSES, FEATURES)) * 0.08
    features = (centres[labels] + rng.normal(size=(SAMPLES, FEATURES))).astype(np.float32)
    experiment = experiment_of(
        features,
        labels,
        "table",
        source={"model": "networks:on_features", "options": {"features": FEATURES, "num_classes": CLASSES}},
        transfer="features",
        train={"epochs": EPOCHS, "batch_size": BATCH, "lr": 0.01, "momentum": 0.9},
    )
    found = []
    for name, rows in (
        ("16-fold", repeated_folds(SAMPLES, given.heads // given.orders, given.orders, rng)),
        ("halves", random_halves(SAMPLES, given.heads, given.orders, rng)),
    ):
        found += compare(name, experiment, rows, given.plain, given.workers)
    publish(found, given.json)


def compare(name: str, experiment: Experiment, rows: list[Row], plain: int, workers: int) -> list[Measured]:
    """Loop and engine alternate, and the fastest run of each counts, because other work on the machine slows them
    unevenly."""
    torch.set_num_threads(workers)
    part = rows[:: len(rows) // plain][:plain] if name == "16-fold" else rows[:plain]
    answered, heads, engine, spent, products = [], [], [], [], []
    orders, steps = len({row.order for row in rows}), -(-int(rows[0].keep.sum()) // BATCH)
    for turn in range(TURNS):
        torch.set_num_threads(workers)
        for row in part[turn::TURNS]:
            began = time.perf_counter()
            answered.append((row, plain_head(experiment, row)))
            heads.append(time.perf_counter() - began)
        products.append(product_seconds(len(rows) // orders, steps))
        busy = cpu_used()
        with tempfile.TemporaryDirectory() as folder:
            seconds, found = populate_timed(experiment, rows, Path(folder), workers, Head())
        engine.append(seconds)
        spent.append(cpu_used() - busy)
    plain_seconds = min(heads) * len(rows)
    what = f"head engine, {len(rows)} heads in {orders} orders, {name}"
    figures = [
        Measured(
            what=f"{what}: a plain loop takes", value=plain_seconds / min(engine), unit="times as long", target=40
        ),
        Measured(
            what=f"{what}: products at their own rate, of all CPU time",
            value=100 * orders * min(products) / min(spent),
            unit="%",
            target=60,
        ),
    ]
    if name == "halves":  # in K-fold designs too few of these replicas leave out any given sample
        labels = experiment.dataset.labels
        keep = np.array([row.keep for row, _ in answered], dtype=bool)
        mine = np.concatenate([found[row.name].margin for row, _ in answered])
        theirs = np.concatenate([answers(one[None], labels).margin for _, one in answered])
        away = abs(mean_auc(mine, keep) - mean_auc(theirs, keep))
        figures.append(
            Measured(
                what=f"LiRA's AUC from {len(part)} replicas, away from the plain loop's by",
                value=away,
                unit="",
                target=0.01,
                better="lower",
            )
        )
    return figures


if __name__ == "__main__":
    main()
