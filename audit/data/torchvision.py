"""torchvision's data sets by name, from their files in a local folder."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Int64, UInt8

from audit.data.dataset import Dataset
from audit.data.images import stack
from audit.data.source import DataSection
from probes.errors import DataError, did_you_mean


class Torchvision(DataSection):
    kind: Literal["torchvision"] = "torchvision"
    dataset: str
    """The class's name: CIFAR10, FashionMNIST, SVHN, Flowers102, Food101, ..."""
    root: Path
    parts: tuple[str, ...] = ("train", "test")
    """Joined in this order; names as the data set knows its splits."""
    download: bool = False
    size: int | None = None
    """Pictures are brought to size × size, for data sets whose pictures differ."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        from torchvision import datasets

        kinds = {name: getattr(datasets, name) for name in datasets.__all__}
        if self.dataset not in kinds:
            raise DataError(
                f"torchvision has no data set {self.dataset!r}. {did_you_mean(self.dataset, kinds)}",
                where="data.dataset",
            )
        parts = [self._open(kinds[self.dataset], root / self.root, part, trust_code) for part in self.parts]
        labels = np.concatenate([_labels(part) for part in parts])
        named = getattr(parts[0], "classes", None) or range(int(labels.max()) + 1)
        inputs = [_pictures(part, self.size, self.dataset) for part in parts]
        return Dataset(
            name=self.dataset,
            inputs=np.concatenate(inputs),
            labels=labels,
            classes=tuple(str(name) for name in named),
        )

    def _open(self, kind: Any, root: Path, part: str, trust_code: bool) -> Any:
        known = inspect.signature(kind).parameters
        # A checkpoint from elsewhere fetches nothing unless it is trusted.
        options: dict[str, Any] = {"download": self.download and trust_code} if "download" in known else {}
        if "train" in known:
            options["train"] = part == "train"
        elif "split" in known:
            options["split"] = part
        try:
            return kind(root, **options)
        except ValueError as error:
            raise DataError(f"{self.dataset} has no part {part!r}: {error}", where="data.parts") from error
        except (RuntimeError, OSError) as error:  # not found, damaged, or no way to download
            raise DataError(
                f"{self.dataset} is not complete in {root}: {str(error).splitlines()[0]}",
                where="data.root",
                do="Put torchvision's files there, or let a recipe of your own say download = true.",
            ) from error


def _labels(part: Any) -> Int64[np.ndarray, " samples"]:
    for name in ("targets", "labels", "_labels"):
        if (found := getattr(part, name, None)) is not None:
            return np.asarray(found, dtype=np.int64)
    return np.array([int(part[index][1]) for index in range(len(part))], dtype=np.int64)


def _pictures(part: Any, size: int | None, where: str) -> UInt8[np.ndarray, "samples height width channels"]:
    data = np.asarray(part.data) if hasattr(part, "data") else np.zeros(0)
    if size is None and data.dtype == np.uint8 and data.ndim == 3:
        return data[..., None]
    if size is None and data.dtype == np.uint8 and data.ndim == 4 and data.shape[-1] == 3:
        return data
    return stack(((f"picture {index}", part[index][0]) for index in range(len(part))), size, where)
