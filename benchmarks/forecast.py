"""How well attacks without replicas forecast the results of LiRA, over models whose leakage was measured with replicas.

    python benchmarks/forecast.py [--replicas 16] [--check FOLDER | --held-back FOLDER]

Small models (logistic regression, networks, forests, boosted trees) on scikit-learn's data sets and on generated ones,
each trained on random halves of a pool and attacked in turn by all others. Prints the coefficients in
`probes/membership/forecast.py`, and the error on data sets not used in the fit, leaving one out at a time. With
`--check`, the error of the shipped coefficients on further data: location30.npz and adult.csv in FOLDER. With
`--held-back`, on data and models that no coefficient or rule was chosen with: heads on features of pretrained networks,
a pretrained network fine-tuned as a whole, and texts (cifar10.npz, cifar100_20.npz, sms_spam.csv, the weights of
SqueezeNet and of a ResNet-20 in FOLDER).
"""

from __future__ import annotations

import argparse
import functools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from audit.runtime.user_code import load_file
from probes.evidence import answers
from probes.membership.empirical_bayes import empirical_bayes_stand_in_scores
from probes.membership.forecast import AUC, DATA_SETS, SATURATED, TAIL, TPR
from probes.membership.leave_one_out import stand_in_scores
from probes.statistics import auc, tpr_at_fpr
from probes.statistics.student_t import t_critical

SIZES = (120, 400)
"""Number of samples in a pool, half of them members."""
Table = tuple[np.ndarray, np.ndarray]


def generated(features: int, classes: int, apart: float, wrong: float) -> Callable[[], Table]:
    return lambda: make_classification(
        1000, features, n_informative=max(2, features // 3), n_redundant=0, n_classes=classes,
        n_clusters_per_class=1, class_sep=apart, flip_y=wrong, random_state=0,
    )  # fmt: skip


DATA: dict[str, Callable[[], Table]] = {
    "digits": lambda: load_digits(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "easy": generated(10, 2, 2.0, 0.0),
    "wrong labels": generated(20, 2, 1.0, 0.2),
    "hard": generated(30, 4, 0.7, 0.05),
    "wide": generated(200, 2, 0.6, 0.0),
    "many classes": generated(60, 10, 1.5, 0.0),
    "noise": generated(20, 2, 0.1, 0.9),
}


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


def populations(
    replicas: int, data: dict[str, Table], seed: int = 0, sizes: tuple[int, ...] = SIZES
) -> Iterator[tuple[str, np.ndarray]]:
    """For each data set, size and model: its name, and for each replica in turn as the audited model the loss attack's
    AUC and tail, the AUC and true-positive rate of two attacks by the others, and the number of samples."""
    rng = np.random.default_rng(seed)
    for name, (features, labels) in data.items():
        for size in sizes:
            chosen = rng.permutation(len(labels))[: min(size, len(labels)) // 2 * 2]
            X, y = features[chosen], labels[chosen]
            for kind, make in MODELS.items():
                yield f"{name} / {size} / {kind}", _pairs(X, y, make, replicas, rng)


def _pairs(
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


def known(pairs: np.ndarray) -> dict[str, np.ndarray]:
    """The average result of the stronger of both attacks over a population's models, by population."""
    mean = pairs.mean(axis=1)
    return {"AUC": mean[:, 2:4].max(axis=1), "TPR at 1 % FPR": mean[:, 4:6].max(axis=1)}


def logit(share: np.ndarray, n: np.ndarray) -> np.ndarray:
    inside = np.clip(share, 0.5 / n, 1 - 0.5 / n)
    return np.log(inside / (1 - inside))


def fitted(pairs: np.ndarray, truth: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """(coefficients, spread on left-out data sets, forecasts for these) for one of `known`."""
    n = pairs[:, :, -1]
    X = np.stack([np.ones(n.shape), logit(pairs[:, :, 0], n), logit(pairs[:, :, 1], n)], axis=-1)
    wanted = logit(np.broadcast_to(truth[:, None], n.shape), n)
    told = np.zeros(n.shape)
    for one in np.unique(source):
        rest = source != one
        told[~rest] = X[~rest] @ solved(X[rest], wanted[rest])
    return solved(X, wanted), float(np.sqrt(np.mean((wanted - told) ** 2))), told


def solved(X: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(X.reshape(-1, X.shape[-1]), wanted.ravel(), rcond=None)[0]


def as_shipped(pairs: np.ndarray) -> None:
    """The error of the coefficients in probes/membership/forecast.py."""
    reach = t_critical(0.95, DATA_SETS - 1)
    n = pairs[:, :, -1]
    for (name, truth), line in zip(known(pairs).items(), (AUC, TPR), strict=True):
        centre = line.constant + line.auc * logit(pairs[:, :, 0], n) + line.tail * logit(pairs[:, :, 1], n)
        off = 1 / (1 + np.exp(-centre)) - truth[:, None]
        above = logit(np.broadcast_to(truth[:, None], n.shape), n) - centre
        inside = (above >= -reach * line.spread) & ((above <= reach * line.spread) | (pairs[:, :, 0] > SATURATED))
        print(f"{name}: root mean square error {np.sqrt(np.mean(off**2)):.3f}, bias {off.mean():+.3f}, "
              f"95 % interval holds it in {inside.mean():.1%}")  # fmt: skip


def further(folder: Path) -> dict[str, Table]:
    import pandas as pd

    place = np.load(folder / "location30.npz")
    people = pd.read_csv(folder / "adult.csv", header=None, skipinitialspace=True)
    columns = pd.get_dummies(people.iloc[:, :-1]).to_numpy(dtype=np.float64)
    return {
        "location30": (place["x"].astype(np.float64), np.unique(place["y"], return_inverse=True)[1]),
        "adult": (columns, people.iloc[:, -1].astype(str).str.contains(">50K").to_numpy().astype(int)),
    }


def held_back(folder: Path) -> dict[str, Table]:
    """Features of pretrained networks, and of texts."""
    import pandas as pd
    from sklearn.feature_extraction.text import TfidfVectorizer

    small, fine = np.load(folder / "cifar10.npz"), np.load(folder / "cifar100_20.npz")
    texts = pd.read_csv(folder / "sms_spam.csv").drop_duplicates("text")
    some = np.random.default_rng(2).permutation(len(texts))[:1500]
    words = TfidfVectorizer(max_features=1000).fit_transform(texts["text"].iloc[some]).toarray()
    return {
        "CIFAR-10, SqueezeNet": (features(squeezenet(folder), squared(small["images"][:500])), small["labels"][:500]),
        "CIFAR-100, ResNet-20": (features(resnet20(folder), normalised(fine["train_images"][:1000])), labels_of(fine)),
        "SMS": (words, (texts["label"].iloc[some] == "spam").to_numpy().astype(int)),
    }


def labels_of(fine: Any) -> np.ndarray:
    return fine["train_labels"][:1000].astype(np.int64)


def normalised(images: np.ndarray) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.from_numpy(images).float() / 255 - mean) / std).permute(0, 3, 1, 2)


def squared(images: np.ndarray) -> torch.Tensor:
    """As SqueezeNet's weights expect: BGR, minus the mean, enlarged."""
    bgr = torch.from_numpy(images[..., ::-1].copy()).float() - torch.tensor([104.0, 117.0, 123.0])
    return torch.nn.functional.interpolate(bgr.permute(0, 3, 1, 2), size=112, mode="bilinear")


def squeezenet(folder: Path) -> torch.nn.Module:
    network = torchvision.models.squeezenet1_0()
    network.load_state_dict(torch.load(folder / "squeezenet1_0_imagenet.pt", weights_only=True))
    return torch.nn.Sequential(network.features, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def resnet20(folder: Path) -> torch.nn.Module:
    """The body of the network in examples/cifar_resnet20.py."""
    network = load_file(Path(__file__).parents[1] / "examples/cifar_resnet20.py").resnet20()
    saved = torch.load(folder / "cifar10_resnet20.th", map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in saved.items()})
    network.linear = torch.nn.Identity()
    return network


def features(network: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([network.eval()(part) for part in images.split(100)]).double().numpy()


class FineTuned:
    """A pretrained ResNet-20, fine-tuned as a whole with scikit-learn's interface."""

    def __init__(self, folder: Path, epochs: int = 8) -> None:
        self.folder, self.epochs = folder, epochs

    def fit(self, X: np.ndarray, y: np.ndarray) -> FineTuned:
        self.classes_ = np.arange(20)
        self.network = torch.nn.Sequential(resnet20(self.folder), torch.nn.Linear(64, 20))
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


def fine_tuned(folder: Path, replicas: int) -> Iterator[tuple[str, np.ndarray]]:
    fine, rng = np.load(folder / "cifar100_20.npz"), np.random.default_rng(3)
    torch.manual_seed(3)
    for size, epochs in ((240, 3), (240, 10)):
        chosen = rng.permutation(4000)[:size]
        X = normalised(fine["train_images"][chosen]).flatten(1).numpy()
        y = fine["train_labels"][chosen].astype(np.int64)
        make = functools.partial(FineTuned, folder, epochs)
        yield (
            f"CIFAR-100, ResNet-20 fine-tuned / {size} / {epochs} epochs",
            _pairs(X, y, make, replicas, rng, scaled=False),
        )


def by_source(listed: list[tuple[str, np.ndarray]]) -> None:
    """The shipped coefficients' error for each data set, and for all."""
    names = [name.partition(" / ")[0] for name, _ in listed]
    for one in [*dict.fromkeys(names), ""]:
        pairs = np.array([found for name, (_, found) in zip(names, listed, strict=True) if one in ("", name)])
        truth = known(pairs)["AUC"]
        print(f"{one or 'all'}: {len(pairs)} populations, AUC of the strongest {truth.min():.2f} to {truth.max():.2f}")
        as_shipped(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicas", type=int, default=16)
    parser.add_argument("--check", type=Path)
    parser.add_argument("--held-back", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.check:
        as_shipped(np.array([one for _, one in populations(given.replicas, further(given.check), seed=1)]))
        return
    if given.held_back:
        by_source(
            [
                *populations(given.replicas, held_back(given.held_back), seed=1, sizes=(240,)),
                *fine_tuned(given.held_back, given.replicas),
            ]
        )
        return
    listed = list(populations(given.replicas, {name: load() for name, load in DATA.items()}))
    pairs, source = np.array([one for _, one in listed]), np.array([name.partition(" / ")[0] for name, _ in listed])
    for name, truth in known(pairs).items():
        (constant, plain, tail), spread, told = fitted(pairs, truth, source)
        off = 1 / (1 + np.exp(-told)) - truth[:, None]
        print(f"{name}: Coefficients(constant={constant:.4f}, auc={plain:.4f}, tail={tail:.4f}, spread={spread:.4f}); "
              f"on data sets left out the root mean square error is {np.sqrt(np.mean(off**2)):.3f}")  # fmt: skip
    off = pairs[:, :, 0] - known(pairs)["AUC"][:, None]
    print(f"the loss attack's own AUC is off by {np.sqrt(np.mean(off**2)):.3f}")


if __name__ == "__main__":
    main()
