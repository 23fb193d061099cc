"""How well attacks without replicas forecast the results of LiRA, over models whose leakage was measured with replicas.

    python benchmarks/forecast.py --data FOLDER --packages PACKAGES [--keep POPULATIONS]

Small models (logistic regression, networks, forests, boosted trees) on the tables of `forecast_data.py`, the same as
heads on pretrained networks, and a pretrained network fine-tuned as a whole; each trained on random halves of a pool
and attacked in turn by all others. A quarter of the data sets is held back. Prints the coefficients in
`probes/membership/forecast.py`, fitted to the other data sets, and how often its 95 % intervals contain the true value:
with each of these data sets left out in turn, and on those held back. `--keep` stores each population in that folder,
so that an interrupted run resumes (an hour on one core).
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from forecast_data import (
    features,
    images,
    is_held_back,
    normalised,
    of_folder,
    of_packages,
    of_scikit_learn,
    resnet20,
    squared,
    squeezenet,
)
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probes.answers import answers
from probes.membership.empirical_bayes import empirical_bayes_stand_in_scores
from probes.membership.forecast import AUC, SATURATED, TAIL, TPR, Coefficients, scale_of
from probes.membership.leave_one_out import stand_in_scores
from probes.statistics import auc, tpr_at_fpr

SIZES = (120, 240, 400, 800)
"""Number of samples in a pool, half of them members; one is drawn for each table."""
KINDS = 3
"""Models for each pool, drawn from MODELS."""
REPLICAS = 16


def network(width: int, epochs: int, alpha: float = 1e-4) -> Any:
    return MLPClassifier((width,), max_iter=epochs, alpha=alpha, batch_size=32, learning_rate_init=3e-3)


MODELS: dict[str, Callable[[], Any]] = {
    "logistic, strongly penalised": lambda: LogisticRegression(C=0.01),
    "logistic": lambda: LogisticRegression(C=1.0, max_iter=300),
    "logistic, not penalised": lambda: LogisticRegression(C=1e4, max_iter=300),
    "network, 8 epochs": lambda: network(32, 8),
    "network, 80 epochs": lambda: network(64, 80),
    "network, 80 epochs, weight decay": lambda: network(64, 80, 3.0),
    "forest": lambda: RandomForestClassifier(25, min_samples_leaf=2),
    "boosted trees": lambda: HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=5),
}


def seed_of(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


Make = Callable[[], np.ndarray]
"""Trains a population and gives, for each replica in turn as the audited model, the loss attack's AUC and tail, the
AUC and true-positive rate of two attacks by the others, and the number of samples."""


def populations(data: Path, packages: Path) -> Iterator[tuple[str, Make]]:
    """Named `data set / size / model`, or `data set: backbone / size / model`."""
    tables = {**of_scikit_learn(), **of_packages(packages), **of_folder(data)}
    for name, load in sorted(tables.items()):
        size = int(np.random.default_rng(seed_of(name)).choice(SIZES, 1)[0])
        yield from of_table(name, load(), size)
    for name, load in images(data, packages).items():
        pictures, labels = load()
        some = np.random.default_rng(4).permutation(len(labels))[:1000]
        heads = {"heads on SqueezeNet": (squeezenet, squared, 500), "heads on ResNet-20": (resnet20, normalised, 1000)}
        for backbone, (body, prepared, most) in heads.items():
            if (name, backbone) != ("CIFAR-10", "heads on ResNet-20"):  # which that network was trained on
                X = features(body(data), prepared(pictures[some[:most]]))
                yield from of_table(f"{name}: {backbone}", (X, labels[some[:most]]), 240)
        if name != "CIFAR-10":
            for size, epochs in ((240, 3), (240, 10)) if "CIFAR" in name else ((240, 2), (120, 6)):
                one = f"{name}: ResNet-20 fine-tuned / {size} / {epochs} epochs"
                yield one, functools.partial(fine_tuned, one, data, pictures, labels, size, epochs)


def of_table(name: str, table: tuple[np.ndarray, np.ndarray], size: int) -> Iterator[tuple[str, Make]]:
    features, labels = table
    rng = np.random.default_rng(seed_of(f"{name} / {size}"))
    chosen = rng.permutation(len(labels))[: min(size, len(labels)) // 2 * 2]
    X, y = features[chosen], np.unique(labels[chosen], return_inverse=True)[1]
    for kind in map(str, rng.permutation(list(MODELS))[:KINDS]):
        one = f"{name} / {size} / {kind}"
        yield one, functools.partial(seeded, one, X, y, MODELS[kind])


def seeded(name: str, X: np.ndarray, y: np.ndarray, make: Callable[[], Any]) -> np.ndarray:
    np.random.seed(seed_of(name))  # noqa: NPY002, scikit-learn's models draw from it
    return attacked(X, y, make, REPLICAS, np.random.default_rng(seed_of(name)))


class FineTuned:
    """A pretrained ResNet-20, fine-tuned as a whole with scikit-learn's interface."""

    def __init__(self, folder: Path, epochs: int) -> None:
        self.folder, self.epochs = folder, epochs

    def fit(self, X: np.ndarray, y: np.ndarray) -> FineTuned:
        classes = int(y.max()) + 1
        self.classes_ = np.arange(classes)
        self.network = torch.nn.Sequential(resnet20(self.folder), torch.nn.Linear(64, classes))
        images, labels = torch.from_numpy(X).float().view(-1, 3, 32, 32), torch.from_numpy(y)
        optimizer = torch.optim.SGD(self.network.train().parameters(), lr=0.02, momentum=0.9)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(y)).split(32):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(self.network(images[rows]), labels[rows]).backward()
                optimizer.step()
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(X).float().view(-1, 3, 32, 32)
        with torch.no_grad():
            parts = [self.network.eval()(part) for part in images.split(200)]
        return torch.cat(parts).double().softmax(1).numpy()


def fine_tuned(name: str, folder: Path, pictures: np.ndarray, labels: np.ndarray, size: int, epochs: int) -> np.ndarray:
    rng = np.random.default_rng(seed_of(name))
    torch.manual_seed(seed_of(name))
    chosen = rng.permutation(len(labels))[:size]
    X = normalised(pictures[chosen]).flatten(1).numpy()
    return attacked(X, labels[chosen], functools.partial(FineTuned, folder, epochs), 12, rng, scaled=False)


def attacked(
    X: np.ndarray, y: np.ndarray, make: Callable[[], Any], replicas: int, rng: Any, *, scaled: bool = True
) -> np.ndarray:
    classes = int(y.max()) + 1
    keep, logits = [], []
    for _ in range(replicas // 2):
        half = np.isin(np.arange(len(y)), rng.permutation(len(y))[: len(y) // 2])
        for mask in (half, ~half):
            keep.append(mask)
            fitted = (make_pipeline(StandardScaler(), make()) if scaled else make()).fit(X[mask], y[mask])
            known = np.zeros((len(y), classes))
            known[:, fitted.classes_] = fitted.predict_proba(X)
            logits.append(np.log(np.maximum(known, 1e-12)))
    masks, order = np.array(keep), np.repeat(np.arange(replicas // 2), 2)
    told = answers(np.array(logits, dtype=np.float32), y)
    strong = [
        stand_in_scores(told.margin, masks, order),
        empirical_bayes_stand_in_scores(told.margin, told.log_prob, masks, order),
    ]
    found = []
    for place, member in enumerate(masks):
        loss = told.log_prob[place].astype(np.float64)
        plain = auc(loss, member).value, tpr_at_fpr(-loss, ~member, TAIL).value
        aucs = [auc(score[place], member).value for score in strong]
        rates = [tpr_at_fpr(score[place], member, 0.01).value for score in strong]
        found.append([*plain, *aucs, *rates, len(y)])
    return np.array(found)


def known(pairs: np.ndarray) -> tuple[float, float]:
    """The average AUC, and the average true-positive rate at 1 % false positives, over a population's models, of the
    stronger of both attacks."""
    mean = pairs.mean(axis=0)
    return float(mean[2:4].max()), float(mean[4:6].max())


def logit(share: np.ndarray, n: np.ndarray) -> np.ndarray:
    inside = np.clip(share, 0.5 / n, 1 - 0.5 / n)
    return np.log(inside / (1 - inside))


def share(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A row for each model of each population: what is known without replicas, and what replicas find."""

    plain: np.ndarray
    given: np.ndarray
    """1, and the logits of the loss attack's AUC and tail: [rows, 3]."""
    wanted: np.ndarray
    """The logit of the true value."""
    source: np.ndarray
    weight: np.ndarray
    """Each data set weighs the same, and so does each population of a data set."""
    pretrained: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Rows:
        return Rows(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})


def rows_of(made: dict[str, np.ndarray], which: int) -> Rows:
    """`which` is 0 for the AUC, 1 for the true-positive rate."""
    place = [name.partition(" / ")[0] for name in made]
    source = np.array([one.partition(":")[0] for one in place])
    parts = []
    for name, one, pairs in zip(place, source, made.values(), strict=True):
        n = pairs[:, -1]
        truth = np.full(len(n), known(pairs)[which])
        parts.append(
            {
                "plain": pairs[:, 0],
                "given": np.stack([np.ones(len(n)), logit(pairs[:, 0], n), logit(pairs[:, 1], n)], axis=-1),
                "wanted": logit(truth, n),
                "source": np.full(len(n), one),
                "weight": np.full(len(n), 1 / (np.sum(source == one) * len(n))),
                "pretrained": np.full(len(n), ":" in name),
            }
        )
    return Rows(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def fitted(rows: Rows, rounds: int = 6) -> Coefficients:
    """The line by least squares weighted by the scale, and the scale by maximum likelihood, in turn."""
    scale = np.array([-1.0, 0.3])
    growing = np.stack([np.ones(len(rows.plain)), np.maximum(rows.given[:, 1], 0)], axis=-1)
    for _ in range(rounds):
        root = np.sqrt(rows.weight) / np.exp(growing @ scale)
        line = np.linalg.lstsq(rows.given * root[:, None], rows.wanted * root, rcond=None)[0]
        squared = (rows.wanted - rows.given @ line) ** 2
        for _ in range(5):
            score = (squared / np.exp(2 * growing @ scale) - 1) / 2
            weighted = growing * rows.weight[:, None]
            scale = scale + np.linalg.solve(weighted.T @ growing, weighted.T @ score)
    constant, plain, tail = line
    return Coefficients(
        constant=constant, auc=plain, tail=tail, spread=float(np.exp(scale[0])), growth=scale[1], below=0.0, above=0.0
    )


def off(rows: Rows, line: Coefficients) -> np.ndarray:
    """What replicas find beyond the forecast, in scales."""
    centre = rows.given @ np.array([line.constant, line.auc, line.tail])
    return (rows.wanted - centre) / scale_of(line, rows.given[:, 1])


def reached(beyond: np.ndarray, rows: Rows, share: float) -> float:
    """The value that a model of another data set exceeds with a probability of at most 1 - `share`, if data sets are
    exchangeable: each counts as 1 / (number + 1), the new one as infinite (Lee, Barber & Willett 2023)."""
    weight = rows.weight / (len(np.unique(rows.source)) + 1)
    order = np.argsort(beyond)
    place = np.searchsorted(np.cumsum(weight[order]), share)
    return float(beyond[order][place]) if place < len(order) else np.inf


def left_out(rows: Rows) -> np.ndarray:
    """`off` of each data set by the line that is fitted to all others."""
    found = np.zeros(len(rows.plain))
    for one in np.unique(rows.source):
        here = rows.source == one
        found[here] = off(rows[here], fitted(rows[~here]))
    return found


def say(title: str, rows: Rows, beyond: np.ndarray, line: Coefficients) -> None:
    """How often the interval holds, over models and as the average over data sets, and how wide it is."""
    top = rows.plain > SATURATED
    held = (beyond >= -line.below) & ((beyond <= line.above) | top)
    scale = scale_of(line, rows.given[:, 1])
    centre = rows.wanted - beyond * scale
    width = np.where(top, 1.0, share(centre + line.above * scale)) - share(centre - line.below * scale)
    error = share(centre) - share(rows.wanted)
    for name, chosen in (("all", np.ones(len(top), dtype=bool)), ("pretrained", rows.pretrained)):
        sets = {one: held[chosen & (rows.source == one)].mean() for one in np.unique(rows.source[chosen])}
        worst = min(sets, key=lambda one: sets[one])
        print(f"  {title}, {name}: {len(sets)} data sets, held for {held[chosen].mean():.1%} of the models, "
              f"{np.mean(list(sets.values())):.1%} by data set, worst {worst} {sets[worst]:.0%}; width "
              f"{width[chosen].mean():.2f}, error {np.sqrt(np.mean(error[chosen] ** 2)):.3f}, bias "
              f"{error[chosen].mean():+.3f}; plain attack off by "
              f"{np.sqrt(np.mean((rows.plain - share(rows.wanted))[chosen] ** 2)):.3f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    made = {}
    for name, make in populations(given.data, given.packages):
        file = None if given.keep is None else given.keep / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.npz"
        made[name] = make() if file is None or not file.exists() else np.load(file)["pairs"]
        if file is not None and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, name=name, pairs=made[name])
    print(f"{len(made)} populations")
    for which, (title, shipped) in enumerate((("AUC", AUC), ("TPR at 1 % FPR", TPR))):
        rows = rows_of(made, which)
        back = np.array([is_held_back(one) for one in rows.source])
        fit = rows[~back]
        beyond = left_out(fit)
        line = fitted(fit)
        numbers = {
            name: round(float(getattr(line, name)), 4) for name in ("constant", "auc", "tail", "spread", "growth")
        }
        numbers |= {"below": round(reached(-beyond, fit, 0.975), 4), "above": round(reached(beyond, fit, 0.975), 4)}
        print(f"{title}: Coefficients({', '.join(f'{name}={value}' for name, value in numbers.items())})")
        say("left out in turn", fit, beyond, Coefficients(**numbers))
        say("held back", rows[back], off(rows[back], shipped), shipped)


if __name__ == "__main__":
    main()
