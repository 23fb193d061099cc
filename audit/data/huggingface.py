"""Hugging Face data sets of pictures or numbers, where `datasets` is installed. Text comes in by a factory, which knows
its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from audit.data.dataset import Dataset
from audit.data.images import stack
from audit.data.source import DataSection
from probes.errors import DataError, DependencyError, did_you_mean


class HuggingFace(DataSection):
    kind: Literal["huggingface"] = "huggingface"
    name: str
    """A folder that `save_to_disk` wrote, or a name on the hub."""
    parts: tuple[str, ...] = ("train", "test")
    image: str = "image"
    label: str = "label"
    size: int | None = None

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        try:
            import datasets
        except ImportError:
            raise DependencyError("datasets is not installed.", where="data", do="pip install datasets") from None
        local = root / self.name
        if not local.is_dir() and not trust_code:
            raise DataError(
                f"{self.name} is no folder in {root}; a checkpoint from elsewhere fetches nothing.",
                where="data.name",
                do="Put it there, or repeat with --trust-code.",
            )
        try:
            whole = datasets.load_from_disk(str(local)) if local.is_dir() else datasets.load_dataset(self.name)
        except Exception as error:  # the hub client raises many unrelated types
            raise DataError(
                f"{self.name} is no folder and cannot be had from the hub: {str(error).splitlines()[0]}",
                where="data.name",
            ) from error
        for part in self.parts:
            if part not in whole:
                raise DataError(f"{self.name} has no part {part!r}. {did_you_mean(part, whole)}", where="data.parts")
        parts = [whole[part] for part in self.parts]
        for column in (self.image, self.label):
            if column not in parts[0].features:
                raise DataError(f"has no column {column!r}. {did_you_mean(column, parts[0].features)}", where=self.name)
        labels = np.concatenate([np.asarray(part[self.label], dtype=np.int64) for part in parts])
        names = getattr(parts[0].features[self.label], "names", None) or range(int(labels.max()) + 1)
        return Dataset(
            name=self.name,
            inputs=stack(self._pictures(parts), self.size, self.name),
            labels=labels,
            classes=tuple(str(name) for name in names),
        )

    def _pictures(self, parts: list[Any]) -> Iterator[tuple[str, Image.Image]]:
        for name, part in zip(self.parts, parts, strict=True):
            for index in range(len(part)):
                yield f"{name} {index}", part[index][self.image]
