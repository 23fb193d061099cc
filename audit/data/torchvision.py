"""torchvision's data sets by name, from their files in a local folder."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from jaxtyping import Int64, UInt8
from pydantic import Field

from audit.data.dataset import Dataset
from audit.data.images import stack
from audit.data.section import DataSection, ImageSize
from audit.runtime.devices import check_torchvision
from audit.storage.downloads import downloading
from probes.errors import DataError, DependencyError, did_you_mean, first_line
from probes.large_arrays import concatenate
from probes.message import Text

# Set by the section itself, or a way to run code on the samples.
OURS = ("root", "train", "download", "transform", "target_transform", "transforms", "loader", "is_valid_file")


SAFE = frozenset({
    "CIFAR10", "CIFAR100", "CLEVRClassification", "Country211", "DTD", "EMNIST", "EuroSAT", "FER2013", "FGVCAircraft",
    "FashionMNIST", "Flowers102", "Food101", "GTSRB", "KMNIST", "MNIST", "OxfordIIITPet", "PCAM", "QMNIST",
    "RenderedSST2", "SEMEION", "STL10", "SUN397", "SVHN", "StanfordCars", "USPS", "Caltech101", "Caltech256",
    "INaturalist", "ImageFolder", "ImageNet", "Imagenette", "LFWPeople", "Omniglot", "Places365",
    "CelebA", "Kitti", "LFWPairs", "VOCDetection", "VOCSegmentation", "WIDERFace",
})  # fmt: skip
"""Data sets whose files torchvision reads without unpickling, or only after verifying its own checksum. Others (LSUN
unpickles a cache file of the current folder) need --trust-code."""


class Torchvision(DataSection):
    kind: Literal["torchvision"] = "torchvision"
    dataset: str
    """The class's name: CIFAR10, FashionMNIST, SVHN, Flowers102, Food101, ..."""
    root: Path
    parts: Annotated[tuple[str, ...], Field(min_length=1)] = ("train", "test")
    """Joined in this order; the names are the data set's own. A data set without splits is read completely."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the class: `{ split = "letters" }` for EMNIST."""
    download: bool = False
    size: ImageSize | None = None
    """Images are resized to size × size, for data sets whose images differ in size."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        check_torchvision()
        from torchvision import datasets

        kinds = {name: getattr(datasets, name) for name in datasets.__all__}
        if self.dataset not in kinds:
            raise DataError(
                f"torchvision has no data set {self.dataset!r}. {did_you_mean(self.dataset, kinds)}",
                where="data.dataset",
            )
        if self.dataset not in SAFE and not trust_code:
            raise DataError(
                f"torchvision's {self.dataset} could run code from its files when they are opened.",
                where="data.dataset",
                do="Read them with --trust-code if you trust their source.",
            )
        kind = kinds[self.dataset]
        if mistaken := sorted(set(self.options) & set(OURS)):
            raise DataError(
                f"{mistaken[0]!r} is not an option here.", where="data.options", do="See parts and download."
            )
        if "root" not in inspect.signature(kind).parameters:
            raise DataError(f"torchvision's {self.dataset} reads no files.", where="data.dataset")
        divided = bool({"train", "split"} & set(inspect.signature(kind).parameters))
        parts = [self._open(kind, root / self.root, part, trust_code) for part in (self.parts if divided else ("",))]
        labels = np.concatenate([_labels(part, self.dataset) for part in parts])
        named = getattr(parts[0], "classes", None) or range(int(labels.max()) + 1)
        inputs, notes = zip(*(_images(part, self.size, self.dataset) for part in parts), strict=True)
        return Dataset(
            name=self.dataset,
            inputs=concatenate(inputs),
            labels=labels,
            classes=tuple(str(name) for name in named),
            notes=tuple(dict.fromkeys(note for part in notes for note in part)),
        )

    def _open(self, kind: Any, root: Path, part: str, trust_code: bool) -> Any:
        known = inspect.signature(kind).parameters
        options: dict[str, Any] = {}
        if part and ("train" in known or "split" in self.options):
            if part not in ("train", "test"):
                raise DataError(f"{self.dataset} has no part {part!r}; it has train and test.", where="data.parts")
            options["train"] = part == "train"
        elif part:
            options["split"] = part
        try:
            # For a checkpoint from elsewhere, nothing is downloaded unless it is trusted.
            if "download" in known and self.download and trust_code:
                return _with_download(kind, root, **options, **self.options)
            return kind(root, **options, **self.options)
        except ValueError as error:
            raise DataError(f"{self.dataset} has no part {part!r}: {error}", where="data.parts") from error
        except TypeError as error:
            raise DataError(f"{self.dataset} refuses its options: {error}", where="data.options") from error
        except ImportError as error:
            raise DependencyError(f"{self.dataset} needs a package: {error}.", where="data.dataset") from error
        except (RuntimeError, OSError) as error:  # not found, damaged, or not downloadable
            raise DataError(
                f"{self.dataset} is not complete in {root}: {first_line(error)}",
                where="data.root",
                do="Put torchvision's files there (it compares their checksums), or set in your own recipe "
                "download = true.",
            ) from error


def _with_download(kind: Any, root: Path, **options: Any) -> Any:
    """From the files there, else downloaded, for which torchvision sets no time limit. Raises what the data set and
    `downloading` raise."""
    try:
        return kind(root, download=False, **options)
    except (RuntimeError, OSError):
        with downloading(*_mirrors(kind)):
            return kind(root, download=True, **options)


def _mirrors(kind: Any) -> list[str]:
    """A URL for each host that the data set's class names, or else the class it derives from, at most three."""
    for base in kind.__mro__:
        found: dict[str, str] = {}
        left = [value for name, value in vars(base).items() if not name.startswith("__")]
        while left:
            one = left.pop(0)
            if isinstance(one, str) and one.startswith(("https://", "http://")):
                found.setdefault(urlsplit(one).netloc, one)
            elif isinstance(one, dict):
                left += one.values()
            elif isinstance(one, (list, tuple)):
                left += one
        if found:
            return list(found.values())[:3]
    return []


def _labels(part: Any, name: str) -> Int64[np.ndarray, " samples"]:
    found = next(
        (found for key in ("targets", "labels", "_labels") if (found := getattr(part, key, None)) is not None), None
    )
    try:
        if found is not None:
            return np.asarray(found, dtype=np.int64).reshape(len(part))
        return np.array([int(part[index][1]) for index in range(len(part))], dtype=np.int64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{name} does not have one class per image.", where="data.dataset", do="Read it with a factory."
        ) from error


def _images(
    part: Any, size: int | None, where: str
) -> tuple[UInt8[np.ndarray, "samples height width channels"], tuple[Text, ...]]:
    data = np.asarray(part.data) if hasattr(part, "data") else np.zeros(0)
    if size is None and data.dtype == np.uint8 and data.ndim == 3:
        return data[..., None], ()
    if size is None and data.dtype == np.uint8 and data.ndim == 4 and data.shape[-1] == 3:
        return data, ()
    return stack(((f"image {index}", part[index][0]) for index in range(len(part))), size, where)
