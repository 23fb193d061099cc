"""How often fidelity detects a wrong training procedure, and how often it rejects the right one.

    python benchmarks/fidelity.py [--replicas 8 16 32] [--redraws 1]

A set of 20 right procedures (the audited model and its replicas are trained alike) and 20 wrong ones (the replicas are
trained by plain cross-entropy, the audited model otherwise): small multilayer perceptrons on digits, 200 members and
200 held-out samples, all replicas of a procedure at once. About two minutes per number of replicas on one core.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

from audit.evidence.predictions import Predictions
from probes.membership.fidelity import fidelity

SAMPLES, CLASSES = 400, 10


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """How a network is trained."""

    focal: bool = False
    lr: float = 0.01
    epochs: int = 20
    batch: int = 50
    width: int = 32
    sgd: bool = False
    decay: float = 0.0
    smoothing: float = 0.0
    mixup: float = 0.0
    noise: float = 0.0
    dropout: float = 0.0
    balanced: bool = False
    wrong_labels: float = 0.0


PLAIN = Procedure()
RIGHT = (
    PLAIN,
    Procedure(lr=0.003),
    Procedure(epochs=40),
    Procedure(width=64),
    Procedure(sgd=True),
    Procedure(decay=0.1),
    Procedure(smoothing=0.1),
    Procedure(dropout=0.3),
    Procedure(focal=True),
    Procedure(mixup=0.4),
    Procedure(epochs=10),
    Procedure(batch=20),
    Procedure(width=16),
    Procedure(sgd=True, lr=0.003),
    Procedure(noise=0.2),
    Procedure(balanced=True),
    Procedure(focal=True, mixup=0.4, balanced=True),
    Procedure(lr=0.03),
    Procedure(dropout=0.5, epochs=40),
    Procedure(smoothing=0.2, width=64),
)
WRONG = (
    Procedure(focal=True),
    Procedure(mixup=0.4),
    Procedure(focal=True, mixup=0.4, balanced=True),
    Procedure(smoothing=0.1),
    Procedure(epochs=40),
    Procedure(epochs=10),
    Procedure(lr=0.03),
    Procedure(lr=0.003),
    Procedure(sgd=True),
    Procedure(width=128),
    Procedure(width=8),
    Procedure(dropout=0.5),
    Procedure(noise=0.3),
    Procedure(batch=10),
    Procedure(decay=1.0),
    Procedure(smoothing=0.2, dropout=0.3),
    Procedure(balanced=True),
    Procedure(wrong_labels=0.1),
    Procedure(mixup=0.1),
    Procedure(focal=True, smoothing=0.1),
)


def train(
    how: Procedure,
    inputs: Float32[Tensor, "samples features"],
    labels: Int64[np.ndarray, " samples"],
    keep: Bool[np.ndarray, "models samples"],
    seed: int,
) -> Float32[np.ndarray, "models samples classes"]:
    """Logits of as many networks as there are masks, trained at once."""
    drawn, rng, models = torch.Generator().manual_seed(seed), np.random.default_rng(seed), len(keep)
    first, second = (
        ((torch.rand(models, wide, high, generator=drawn) * 2 - 1) / wide**0.5).requires_grad_()
        for wide, high in ((inputs.shape[1], how.width), (how.width, CLASSES))
    )
    biases = [torch.zeros(models, 1, high, requires_grad=True) for high in (how.width, CLASSES)]
    weights = [first, second, *biases]
    optimizer: torch.optim.Optimizer = torch.optim.AdamW(weights, lr=how.lr, weight_decay=how.decay)
    if how.sgd:
        optimizer = torch.optim.SGD(weights, lr=10 * how.lr, momentum=0.9, weight_decay=how.decay)
    taught = labels.copy()
    changed = rng.random(len(labels)) < how.wrong_labels
    taught[changed] = rng.integers(0, CLASSES, int(changed.sum()))
    mine = [np.flatnonzero(mask) for mask in keep]
    size = min(map(len, mine))
    for _ in range(how.epochs):
        order = torch.from_numpy(np.stack([_order(one, labels, size, how, rng) for one in mine]))
        for batch in order.split(how.batch, dim=1):
            x, wanted = _minibatch(inputs[batch], torch.from_numpy(taught)[batch], how, drawn, rng)
            hidden = torch.relu(torch.baddbmm(biases[0], x, first))
            if how.dropout:
                kept = torch.rand(hidden.shape, generator=drawn) > how.dropout
                hidden = hidden * kept / (1 - how.dropout)
            log_p = functional.log_softmax(torch.baddbmm(biases[1], hidden, second), dim=2)
            term = (1 - log_p.exp()) ** 2 * log_p if how.focal else log_p
            optimizer.zero_grad()
            torch.autograd.backward(-(wanted * term).sum(dim=2).mean(dim=1).sum())
            optimizer.step()
    with torch.no_grad():
        hidden = torch.relu(torch.baddbmm(biases[0], inputs.expand(models, *inputs.shape), first))
        return np.asarray(torch.baddbmm(biases[1], hidden, second).numpy())


def _order(
    mine: Int64[np.ndarray, " kept"],
    labels: Int64[np.ndarray, " samples"],
    size: int,
    how: Procedure,
    rng: np.random.Generator,
) -> Int64[np.ndarray, " size"]:
    if not how.balanced:
        return rng.permutation(mine)[:size]
    weight = 1 / np.bincount(labels[mine], minlength=CLASSES)[labels[mine]]
    return rng.choice(mine, size, p=weight / weight.sum())


def _minibatch(
    inputs: Tensor, labels: Tensor, how: Procedure, drawn: torch.Generator, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    wanted = functional.one_hot(labels, CLASSES).float() * (1 - how.smoothing) + how.smoothing / CLASSES
    inputs = inputs + how.noise * torch.randn(inputs.shape, generator=drawn)
    if not how.mixup:
        return inputs, wanted
    share = torch.from_numpy(rng.beta(how.mixup, how.mixup, (len(inputs), 1, 1))).float()
    other = torch.randperm(inputs.shape[1], generator=drawn)
    return share * inputs + (1 - share) * inputs[:, other], share * wanted + (1 - share) * wanted[:, other]


def told(audited: Procedure, replicas: Procedure, count: int, seed: int) -> bool:
    """Whether fidelity reports that the audited model was not made by the replicas' procedure."""
    features, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    some = rng.choice(len(digits), SAMPLES, replace=False)
    inputs, labels = torch.from_numpy((features[some] / 16).astype("float32")), digits[some].astype(np.int64)
    halves = [rng.permutation(SAMPLES) < SAMPLES // 2 for _ in range(1 + count // 2)]
    keep = np.stack([mask for half in halves[1:] for mask in (half, ~half)])
    evidence = Predictions(
        outputs=train(audited, inputs, labels, halves[0][None], seed + 1)[0],
        labels=labels,
        members=halves[0],
        shadow_outputs=train(replicas, inputs, labels, keep, seed + 2),
        shadow_members=keep,
    ).evidence()
    return bool(fidelity(evidence, evidence.population).outside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--redraws", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for count in options.replicas:
        seeds = [1000 * one for one in range(options.redraws)]
        alarms = [told(how, how, count, seed + 10 * i) for seed in seeds for i, how in enumerate(RIGHT)]
        found = [told(how, PLAIN, count, seed + 500 + 10 * i) for seed in seeds for i, how in enumerate(WRONG)]
        print(
            f"{count:3} replicas: {sum(found)} of {len(found)} wrong procedures told, "
            f"{sum(alarms)} of {len(alarms)} right ones called wrong",
            flush=True,
        )


if __name__ == "__main__":
    main()
