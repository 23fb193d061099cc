"""Membership inference on digits compared with the Adversarial Robustness Toolbox: the cost of each tool's AUC.

    pip install adversarial-robustness-toolbox
    python benchmarks/membership_peer.py [--models 2 8 32] [--peer-models 2 8] [--targets 4]

Targets are MLPs 64-128-10 (Adam 1e-3, batches of 64, 100 epochs), each on a different random half of 1,200 digits. Both
tools have the 1,200 digits and the recipe, and train models on halves: this tool trains replicas whose answers
calibrate LiRA sample by sample; ART trains shadow models (`ShadowModels`) whose predictions train an attack classifier
(`MembershipInferenceBlackBox`, each kind that it offers for tables). All targets are attacked with the same models; the
seconds are for training them and for all attacks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from setting import experiment_of, populate_timed
from sklearn.datasets import load_digits
from torch import nn

from audit.engines.stacked import Stacked
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune
from probes.answers import logit_margin
from probes.membership import lira_scores
from probes.plan import Row
from probes.statistics import auc, tpr_at_fpr

POOL, EPOCHS, BATCH, RATE = 1200, 100, 64, 1e-3
KINDS = ("gb", "rf", "nn")
INSTALL = "The peer is absent: pip install adversarial-robustness-toolbox"


def halves(models: int, rng: np.random.Generator, design: str) -> list[Row]:
    """Halves of the pool and their complements."""
    rows = []
    for repeat in range((models + 1) // 2):
        inside = np.isin(np.arange(POOL), rng.permutation(POOL)[: POOL // 2])
        rows += [
            Row(design=design, repeat=repeat, fold=fold, order=f"{design}/{repeat}", keep=keep)
            for fold, keep in enumerate((inside, ~inside))
        ]
    return rows[:models]


def ours(experiment: Experiment, targets: list[nn.Module], models: int) -> tuple[float, np.ndarray]:
    """Seconds, and LiRA's scores for every target."""
    rows = halves(models, np.random.default_rng(1), "splits")
    with tempfile.TemporaryDirectory() as folder:
        seconds, found = populate_timed(experiment, rows, Path(folder), os.cpu_count() or 1, Stacked())
    began = time.perf_counter()
    margin = np.concatenate([found[row.name].margin for row in rows])
    keep, labels = np.array([row.keep for row in rows]), experiment.dataset.labels
    scores = []
    for target in targets:
        with torch.no_grad():
            phi = logit_margin(target(experiment.inputs).numpy(), labels)
        scores.append(lira_scores(phi, margin, keep, variance="global" if models < 64 else "per-sample"))
    return seconds + time.perf_counter() - began, np.array(scores)


def peers(experiment: Experiment, targets: list[nn.Module], models: int) -> Iterator[tuple[str, float, np.ndarray]]:
    """(kind, seconds, probabilities of membership) of every attack classifier that ART offers for tables."""
    from art.attacks.inference.membership_inference import MembershipInferenceBlackBox, ShadowModels
    from art.estimators.classification import PyTorchClassifier

    class Recipe(PyTorchClassifier):
        """Shadow models are fitted without arguments, which would mean ART's defaults: 20 epochs in batches of 128."""

        def fit(self, x: np.ndarray, y: np.ndarray, **given: Any) -> None:
            super().fit(x, y, batch_size=BATCH, nb_epochs=EPOCHS)

    def wrapped(network: nn.Module) -> Recipe:
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
        return Recipe(network, nn.CrossEntropyLoss(), (64,), 10, optimizer=optimizer)

    x, y = experiment.inputs.numpy(), np.eye(10, dtype=np.float32)[experiment.dataset.labels]
    began = time.perf_counter()
    template = wrapped(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)))
    shadows = ShadowModels(template, num_shadow_models=models, random_state=0)
    (x_in, y_in, p_in), (x_out, y_out, p_out) = shadows.generate_shadow_dataset(x, y)
    training = time.perf_counter() - began
    for kind in KINDS:
        began, scores = time.perf_counter(), []
        attack = MembershipInferenceBlackBox(wrapped(targets[0]), attack_model_type=kind)
        attack.fit(x_in, y_in, x_out, y_out, p_in, p_out)
        for target in targets:
            answered = attack.infer(x, y, probabilities=True, pred=wrapped(target).predict(x))
            scores.append(np.asarray(answered).reshape(POOL, -1)[:, -1])
        yield kind, training + time.perf_counter() - began, np.array(scores)


def told(name: str, models: int, seconds: float, scores: np.ndarray, member: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    aucs = [auc(one.astype(np.float64), who).value for one, who in zip(scores, member, strict=True)]
    # Predicted probabilities tie; ties are broken at random, so that the rate at 1 % is not 0 just because of ties.
    broken = scores + 1e-9 * rng.random(scores.shape)
    rates = [tpr_at_fpr(one, who, 0.01).value for one, who in zip(broken, member, strict=True)]
    error = np.std(aucs, ddof=1) / np.sqrt(len(aucs)) if len(aucs) > 1 else float("nan")
    print(
        f"{name:20} {models:4} models {seconds:7.1f} s   AUC {np.mean(aucs):.3f} ± {error:.3f}   "
        f"TPR at 1 % FPR {np.mean(rates):.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--peer-models", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--targets", type=int, default=4)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    digits = load_digits()
    experiment = experiment_of(
        (digits.data[:POOL] / 16).astype(np.float32),
        digits.target[:POOL].astype(np.int64),
        "table",
        source={"model": "networks:mlp", "options": {"features": 64, "hidden": 128, "num_classes": 10}},
        transfer="parameters",
        train={"epochs": EPOCHS, "batch_size": BATCH, "lr": RATE, "optimizer": "adam"},
    )
    rows = halves(2 * given.targets, np.random.default_rng(0), "audited")[::2]
    targets = [fine_tune(experiment, row).network.eval() for row in rows]
    member = np.array([row.keep for row in rows])
    with torch.no_grad():
        loss = [logit_margin(target(experiment.inputs).numpy(), experiment.dataset.labels) for target in targets]
    told("plain loss", 0, 0.0, np.array(loss), member)
    for models in given.models:
        told("transfer-audit LiRA", models, *ours(experiment, targets, models), member)
    if find_spec("art") is None:
        print(INSTALL)
        return
    for models in given.peer_models:
        for kind, seconds, scores in peers(experiment, targets, models):
            told(f"ART {kind}", models, seconds, scores, member)


if __name__ == "__main__":
    main()
