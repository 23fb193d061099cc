"""Wrong labels of several kinds planted in real data: how many are listed, which, and how many would be on clean
labels. `python -m tests.probes.overfitting.wrong_labels FOLDER` prints the table of docs/overfitting.md; the folder
holds adult.csv, sms_spam.csv and, as features.npz, x and y of images' features. What it lacks is left out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from probes.measures.confident_learning import suspected, suspects_on_clean_labels
from probes.overfitting.label_errors import surprising

REPEATS, FOLDS, LARGEST = 2, 4, 2000
KINDS = ("none", "1 % symmetric", "5 % symmetric", "20 % symmetric", "20 % to the next class", "a third of one class")
Data = tuple[np.ndarray, np.ndarray]


def tables(folder: Path | None) -> Iterator[tuple[str, Data]]:
    yield "digits", load_digits(return_X_y=True)
    yield "breast cancer", load_breast_cancer(return_X_y=True)
    for name, apart in (("generated, overlapping", 0.9), ("generated, apart", 4.0)):
        made = make_classification(LARGEST, 20, n_informative=8, n_classes=4, class_sep=apart, flip_y=0, random_state=1)
        yield name, made
    if folder is None:
        return
    if (folder / "adult.csv").exists():
        import pandas as pd

        table = pd.read_csv(folder / "adult.csv", header=None, skipinitialspace=True).iloc[:LARGEST]
        y = table.iloc[:, -1].astype(str).str.contains(">50K").to_numpy().astype(np.int64)
        yield "Adult", (pd.get_dummies(table.iloc[:, :-1]).to_numpy(dtype=np.float64), y)
    if (folder / "sms_spam.csv").exists():
        import pandas as pd
        from sklearn.feature_extraction.text import TfidfVectorizer

        texts = pd.read_csv(folder / "sms_spam.csv").drop_duplicates("text").iloc[:LARGEST]
        x = TfidfVectorizer(min_df=5).fit_transform(texts.text).toarray()
        yield "SMS", (x, (texts.label == "spam").to_numpy().astype(np.int64))
    if (folder / "features.npz").exists():
        held = np.load(folder / "features.npz")
        yield "images' features", (held["x"][:LARGEST], held["y"][:LARGEST])


def planted(y: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    classes, found = int(y.max()) + 1, y.copy()
    if kind.endswith("symmetric"):
        wrong = rng.random(len(y)) < int(kind.split()[0]) / 100
        found[wrong] = (y[wrong] + rng.integers(1, classes, int(wrong.sum()))) % classes
    elif kind == "20 % to the next class":
        wrong = rng.random(len(y)) < 0.2
        found[wrong] = (y[wrong] + 1) % classes
    elif kind == "a third of one class":
        wrong = (y == 0) & (rng.random(len(y)) < 1 / 3)
        found[wrong] = 1
    return found


def out_of_fold(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `confident_learning.out_of_fold`: of the other classes, only predictions' confidence."""
    classes = int(y.max()) + 1
    own, others = np.zeros(len(y)), np.zeros((len(y), classes))
    for _ in range(REPEATS):
        parts = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
        for train, test in parts.split(x, y):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=60))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                p = model.fit(x[train], y[train]).predict_proba(x[test])
            own[test] += p[np.arange(len(test)), y[test]] / REPEATS
            predicted = p.argmax(axis=1)
            others[test, predicted] += p.max(axis=1) / REPEATS
    others[np.arange(len(y)), y] = 0.0
    best = others.max(axis=1)
    return own, np.where(best > 0, others.argmax(axis=1), -1), best


def row(name: str, data: Data, kind: str, seed: int) -> str:
    rng = np.random.default_rng(seed)
    x, clean = data[0], data[1].astype(np.int64)
    y = planted(clean, kind, rng)
    own, rival, probability = out_of_fold(x, y, rng)
    listed = suspected(y, own, rival, probability)
    about, most = suspects_on_clean_labels(y, own, rival, probability, rng)
    wrong, count = y != clean, int(listed.sum())
    first = np.flatnonzero(listed)[np.argsort(own[listed], kind="stable")][:50]
    accuracy = (own[~wrong] >= probability[~wrong]).mean()
    cells = [name, kind, f"{accuracy:.2f}", f"{wrong.sum()}", f"{count}", f"{about:.0f}", f"{most:.0f}"]
    cells += [f"{wrong[first].mean():.2f}" if wrong.any() and count else "–"]
    cells += [f"{listed[wrong].mean():.2f}" if wrong.any() else "–"]
    cells += ["yes" if surprising(count, most) else "no"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    for name, data in tables(Path(sys.argv[1]) if len(sys.argv) > 1 else None):
        for kind in KINDS:
            print(row(name, data, kind, 0), flush=True)
