"""Power of the calibrated attacks by number of replicas: AUC and TPR at 1 % FPR on audited models that are not
replicas.

    python benchmarks/membership_power.py [--data FOLDER] [--replicas 4 8 16 32] [--targets 12] [--peer]

Without `--data`: scikit-learn's digits, an MLP. With it, whichever of these the folder contains: location30.npz (x, y;
a benchmark of membership inference), adult.csv (UCI Adult without a header) and cifar100_20.npz with
squeezenet1_0_imagenet.pt (a new head on frozen SqueezeNet features). Each pool is split into random halves and their
complements for replicas, and once for each audited model; of 32 replicas every complete set of 4, 8 or 16 is used, at
most two. 400 samples that no model trains on are used by RMIA. `--peer` adds the attacks of other tools that are
installed (`peer_attacks.py`), on the same models' answers; `--only` names some of all. CPU time is given for
what is computed once for all models that the same replicas attack, and for each model (the median over models).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import peer_attacks
from setting import experiment_of, populate_timed

from audit.engines.stacked import Stacked
from probes.answers import Answers
from probes.membership.empirical_bayes import EmpiricalBayes
from probes.membership.lira import lira_scores
from probes.membership.neighbours import Neighbours
from probes.membership.rmia import rmia_scores
from probes.plan import Row
from probes.statistics import auc, tpr_at_fpr

ATTACKS = ("LiRA, pooled variance", "RMIA", "empirical Bayes", "empirical Bayes, with neighbours")
UNSEEN = 400
SETS = 2
Data = tuple[np.ndarray, np.ndarray, list[int], dict[str, Any]]
"""Inputs, labels, hidden widths, and the recipe's training section."""


def digits() -> Data:
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return (loaded.data / 16).astype(np.float32), loaded.target.astype(np.int64), [128], training(60, 1e-3)


def location(folder: Path) -> Data:
    loaded = np.load(folder / "location30.npz")
    labels = loaded["y"].astype(np.int64)
    return loaded["x"].astype(np.float32), labels - labels.min(), [64], training(30, 2e-3)


def adult(folder: Path) -> Data:
    import pandas as pd

    table = pd.read_csv(folder / "adult.csv", header=None, skipinitialspace=True)
    x = pd.get_dummies(table.iloc[:, :-1]).astype(float)
    x = (x - x.mean()) / (x.std() + 1e-9)
    labels = table.iloc[:, -1].astype(str).str.contains(">50K").to_numpy().astype(np.int64)
    return x.to_numpy().astype(np.float32), labels, [64], training(40, 1e-3)


def squeezenet(folder: Path) -> Data:
    import torch
    from torchvision.models import squeezenet1_0

    network = squeezenet1_0(weights=None)
    state = torch.load(folder / "squeezenet1_0_imagenet.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    network.eval()
    loaded = np.load(folder / "cifar100_20.npz")
    found, mean = [], torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
    with torch.no_grad():
        for batch in np.array_split(loaded["train_images"][:2400], 40):
            pictures = torch.tensor(batch).float().permute(0, 3, 1, 2).flip(1) - mean
            larger = torch.nn.functional.interpolate(pictures, size=128, mode="bilinear")
            found.append(network.features(larger).mean((2, 3)).numpy())
    x = np.concatenate(found)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)
    return x.astype(np.float32), loaded["train_labels"][:2400].astype(np.int64), [64], training(30, 1e-3)


def training(epochs: int, rate: float) -> dict[str, Any]:
    return {"epochs": epochs, "batch_size": 64, "lr": rate, "optimizer": "adam"}


def transfers(folder: Path | None) -> Iterator[tuple[str, Data]]:
    yield "digits", digits()
    if folder is None:
        return
    needs: list[tuple[str, Callable[[Path], Data], tuple[str, ...]]] = [
        ("Location-30", location, ("location30.npz",)),
        ("Adult", adult, ("adult.csv",)),
        ("SqueezeNet to CIFAR-100", squeezenet, ("cifar100_20.npz", "squeezenet1_0_imagenet.pt")),
    ]
    for name, load, files in needs:
        if all((folder / file).exists() for file in files):
            yield name, load(folder)


def masks(samples: int, pool: int, replicas: int, targets: int) -> tuple[list[Row], list[Row]]:
    rng = np.random.default_rng(0)

    def half() -> np.ndarray:
        mask = np.zeros(samples, dtype=bool)
        mask[rng.permutation(pool)[: pool // 2]] = True
        return mask

    inside = np.arange(samples) < pool
    rows = [
        Row(design="splits", repeat=repeat, fold=fold, order=f"splits/{repeat}", keep=keep)
        for repeat in range(replicas // 2)
        for mask in [half()]
        for fold, keep in enumerate((mask, inside & ~mask))
    ]
    audited = [
        Row(design="targets", repeat=number, fold=0, order=f"targets/{number}", keep=half())
        for number in range(targets)
    ]
    return rows, audited


def answered(
    name: str, data: Data, replicas: int, targets: int
) -> tuple[np.ndarray, np.ndarray, list[Row], list[Row], dict[str, Answers]]:
    """Inputs and labels, of which the last UNSEEN train no model; the rows of replicas and of audited models, and what
    each answers."""
    x, y, hidden, train = data
    chosen = np.random.default_rng(1).permutation(len(x))[: min(len(x), 2000)]
    x, y = x[chosen], y[chosen]
    options: dict[str, Any] = {"features": x.shape[1], "num_classes": int(y.max()) + 1}
    source = {"model": "networks:mlp", "options": options | {"hidden": hidden[0]}}
    experiment = experiment_of(x, y, "table", source=source, transfer="parameters", train=train)
    rows, audited = masks(len(x), len(x) - UNSEEN, replicas, targets)
    with tempfile.TemporaryDirectory() as folder:
        took, found = populate_timed(experiment, [*rows, *audited], Path(folder), os.cpu_count() or 1, Stacked())
    print(f"{name}: {len(x) - UNSEEN} samples in the pool, {replicas + targets} models in {took:.0f} s", flush=True)
    return x, y, rows, audited, found


def table(name: str, data: Data, given: argparse.Namespace) -> None:
    most = max(given.replicas)
    x, y, rows, targets, found = answered(name, data, most, given.targets)
    pool = len(x) - UNSEEN
    phi = np.concatenate([found[row.name].margin for row in rows])
    log_p = np.concatenate([found[row.name].log_prob for row in rows])
    keep, order = np.array([row.keep for row in rows])[:, :pool], np.arange(most) // 2
    peers = peer_attacks.installed() if given.peer else {}
    began = time.process_time()
    neighbours = Neighbours.of(x[:pool], y[:pool])
    print(f"  neighbours of all samples, once for all models: {1000 * (time.process_time() - began):.0f} CPU ms")
    for replicas in given.replicas:
        for attack in given.only or (*ATTACKS, *peers):
            aucs, rates, fits, seconds = [], [], [], []
            for number in range(min(SETS, most // replicas)):
                use = slice(number * replicas, (number + 1) * replicas)
                began = time.process_time()
                scored = attacked(attack, phi[use], log_p[use], keep[use], order[use], neighbours)
                fits.append(time.process_time() - began)
                for row in targets:
                    margin, p = found[row.name].margin[0], np.exp(found[row.name].log_prob[0].astype(np.float64))
                    began = time.process_time()
                    score = scored(margin, p)
                    seconds.append(time.process_time() - began)
                    aucs.append(auc(score, row.keep[:pool]).value)
                    rates.append(tpr_at_fpr(score, row.keep[:pool], 0.01).value)
            error = np.std(aucs, ddof=1) / np.sqrt(len(targets))
            print(
                f"  {replicas:3} replicas  {attack:34} AUC {np.mean(aucs):.3f} ± {error:.3f}   "
                f"TPR at 1 % FPR {100 * np.mean(rates):5.1f} %   {1000 * min(fits):.1f} CPU ms once, "
                f"{1000 * np.median(seconds):.2f} a model",
                flush=True,
            )


def attacked(
    attack: str, phi: np.ndarray, log_p: np.ndarray, keep: np.ndarray, order: np.ndarray, neighbours: Neighbours
) -> peer_attacks.Scored:
    """The attack by these replicas; LiRA and RMIA have nothing that is computed once."""
    pool, theirs = keep.shape[1], np.exp(log_p.astype(np.float64))
    if attack in peer_attacks.ATTACKS:
        return peer_attacks.ATTACKS[attack][1](peer_attacks.Shadows(phi=phi, p=theirs, keep=keep))
    if attack == "RMIA":
        return lambda _, p: rmia_scores(p[:pool], theirs[:, :pool], keep, p[pool:], theirs[:, pool:])
    if attack == "LiRA, pooled variance":
        return lambda margin, _: lira_scores(margin[:pool], phi[:, :pool], keep, variance="global")
    known = neighbours if attack.endswith("neighbours") else None
    fitted = EmpiricalBayes.of(phi[:, :pool], log_p[:, :pool], keep, order, known)
    return lambda margin, p: fitted(margin[None, :pool], np.log(p[None, :pool]))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with location30.npz, adult.csv, ...")
    parser.add_argument("--replicas", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--targets", type=int, default=12)
    parser.add_argument("--peer", action="store_true", help="beside the attacks of other tools")
    parser.add_argument("--only", nargs="+", help="attacks to run: all are named in ATTACKS and peer_attacks.py")
    given = parser.parse_args()
    for name, data in transfers(given.data):
        table(name, data, given)


if __name__ == "__main__":
    main()
