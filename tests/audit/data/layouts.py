"""A few samples in the files that each data set is distributed as. torchvision compares the checksums of some of these
files with those of the whole data set: `accept` puts the small files' checksums in their place."""

import hashlib
import json
import pickle
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def picture(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(height, width, 3)).save(path)


def cifar10(root: Path, images: np.ndarray, labels: Iterable[int], names: list[str]) -> None:
    """Five training batches and a test batch of a sixth each."""
    _cifar(root / "cifar-10-batches-py", images, labels, "labels")
    (root / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps({"label_names": names}))


def cifar100(root: Path, images: np.ndarray, labels: Iterable[int], names: list[str]) -> None:
    """Five sixths in `train`, a sixth in `test`."""
    _cifar(root / "cifar-100-python", images, labels, "fine_labels")
    (root / "cifar-100-python" / "meta").write_bytes(pickle.dumps({"fine_label_names": names}))


def _cifar(folder: Path, images: np.ndarray, labels: Iterable[int], key: str) -> None:
    folder.mkdir(parents=True)
    rows, targets = images.transpose(0, 3, 1, 2).reshape(len(images), -1), np.asarray(list(labels))
    files = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    parts = np.array_split(np.arange(len(images)), 6)
    if key == "fine_labels":
        files, parts = ["train", "test"], [np.concatenate(parts[:5]), parts[5]]
    for name, part in zip(files, parts, strict=True):
        (folder / name).write_bytes(pickle.dumps({"data": rows[part], key: targets[part].tolist()}))


def accept_cifar(patch: pytest.MonkeyPatch, kind: type[datasets.CIFAR10], root: Path) -> None:
    folder = root / kind.base_folder
    for name in ("train_list", "test_list"):
        patch.setattr(kind, name, [[file, md5(folder / file)] for file, _ in getattr(kind, name)])
    patch.setattr(kind, "meta", kind.meta | {"md5": md5(folder / kind.meta["filename"])})


def mnist(root: Path, kind: str) -> None:
    """MNIST, FashionMNIST and KMNIST: six training and four test images."""
    raw = root / kind / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 6), ("t10k", 4)):
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels(count, 28, 28).tobytes())
        labels = np.arange(count, dtype=np.uint8) % 10
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, count) + labels.tobytes())


def emnist_letters(root: Path) -> None:
    raw = root / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 3), ("test", 2)):
        header = struct.pack(">IIII", 0x803, count, 28, 28)
        (raw / f"emnist-letters-{part}-images-idx3-ubyte").write_bytes(header + pixels(count, 28, 28).tobytes())
        labels = np.arange(1, count + 1, dtype=np.uint8)
        (raw / f"emnist-letters-{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">II", 0x801, count) + labels.tobytes()
        )


def svhn(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Digit 0 is stored as label 10."""
    known = {}
    for part, count in (("train", 4), ("test", 3)):
        path = root / f"{part}_32x32.mat"
        savemat(path, {"X": pixels(32, 32, 3, count), "y": np.array([10, 1, 2, 3][:count])[:, None]})
        known[part] = ["", path.name, md5(path)]
    patch.setattr(datasets.SVHN, "split_list", known)


def flowers102(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Six images of different sizes; two in each of train, valid and test."""
    folder = root / "flowers-102"
    for number in range(1, 7):
        picture(folder / "jpg" / f"image_{number:05d}.jpg", 30 + number, 40)
    savemat(folder / "imagelabels.mat", {"labels": np.array([1, 2, 1, 2, 1, 102])})
    savemat(folder / "setid.mat", {"trnid": [1, 2], "valid": [3, 4], "tstid": [5, 6]})
    known = {key: (name, md5(folder / name)) for key, name in (("label", "imagelabels.mat"), ("setid", "setid.mat"))}
    patch.setattr(datasets.Flowers102, "_file_dict", known)


def food101(root: Path) -> None:
    folder = root / "food-101"
    (folder / "meta").mkdir(parents=True)
    for part, number in (("train", 1), ("test", 2)):
        listed = {name: [f"{name}/{number}"] for name in ("apple_pie", "waffles")}
        (folder / "meta" / f"{part}.json").write_text(json.dumps(listed))
        for name in listed:
            picture(folder / "images" / name / f"{number}.jpg", 50, 40 + number)


def eurosat(root: Path) -> None:
    for name in ("Forest", "River"):
        for number in (1, 2):
            picture(root / "eurosat" / "2750" / name / f"{name}_{number}.jpg", 64, 64)
