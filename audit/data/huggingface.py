"""Hugging Face data sets of images, if `datasets` is installed. Their texts and tables are read by a factory, which
knows the tokenizer or the columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Shaped
from PIL import Image
from pydantic import Field

from audit.data.dataset import Dataset
from audit.data.images import stack
from audit.data.labels import labels_of
from audit.data.section import DataSection, ImageSize
from audit.storage.bounded import is_folder
from audit.storage.downloads import downloading_from_hub
from probes.errors import DataError, DependencyError, did_you_mean, first_line


class HuggingFace(DataSection):
    kind: Literal["huggingface"] = "huggingface"
    name: str
    """A folder that `save_to_disk` wrote, or a name on the Hub."""
    parts: Annotated[tuple[str, ...], Field(min_length=1)] = ("train", "test")
    """Joined in this order. A data set without parts is read completely."""
    image: str = "image"
    label: str = "label"
    size: ImageSize | None = None
    ids: str | None = None
    """A column by which reports name samples."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        try:
            import datasets
        except ImportError:
            raise DependencyError("datasets is not installed.", where="data", do="pip install datasets") from None
        local = root / self.name
        if not is_folder(local) and not trust_code:
            raise DataError(
                f"{self.name} is not a folder in {root}; for a checkpoint from elsewhere nothing is downloaded.",
                where="data.name",
                do="Put it there, or repeat with --trust-code.",
            )
        try:
            whole = datasets.load_from_disk(str(local)) if is_folder(local) else self._published(datasets)
        except Exception as error:  # the Hub client and Arrow raise many unrelated exception types
            if is_folder(local):
                raise DataError(
                    f"cannot be read as a data set: {first_line(error)}",
                    where=str(local),
                    do="Save it again with save_to_disk.",
                ) from error
            raise DataError(
                f"{self.name} is not a folder and cannot be downloaded from the Hub: {first_line(error)}",
                where="data.name",
                do="Without a network, HF_HUB_OFFLINE=1 reads what is in its cache.",
            ) from error
        parts = self._parts(whole)
        for part in parts if is_folder(local) else ():
            _must_be_whole(part, str(local))
        for column in (self.image, self.label, *([self.ids] if self.ids else [])):
            if any(column not in part.features for part in parts):
                raise DataError(f"has no column {column!r}. {did_you_mean(column, parts[0].features)}", where=self.name)
        labels = labels_of(
            np.concatenate([_column(part, self.label, self.name) for part in parts]),
            _names(parts[0].features[self.label], self.name),
            self.name,
        )
        inputs, converted = stack(_images(parts, self.image), self.size, self.name)
        return Dataset(
            name=self.name,
            inputs=inputs,
            labels=labels.numbers,
            classes=labels.classes,
            ids=() if self.ids is None else tuple(str(one) for part in parts for one in part[self.ids]),
            notes=(*labels.notes, *converted),
        )

    def _published(self, datasets: Any) -> Any:
        with downloading_from_hub():
            return datasets.load_dataset(self.name)

    def _parts(self, whole: Any) -> list[Any]:
        if not isinstance(whole, Mapping):  # saved or published without parts
            return [whole]
        for part in self.parts:
            if part not in whole:
                raise DataError(f"{self.name} has no part {part!r}. {did_you_mean(part, whole)}", where="data.parts")
        return [whole[part] for part in self.parts]


def _must_be_whole(part: Any, where: str) -> None:
    """Raises DataError if offsets or texts of an Arrow file lead outside it: reading a cell would end the process."""
    try:
        for table in (part.data, part._indices):
            if table is not None:
                table.table.validate(full=True)
    except Exception as error:  # Arrow raises many unrelated exception types on damaged files
        raise DataError(
            f"cannot be read as a data set: {first_line(error)}", where=where, do="Save it again with save_to_disk."
        ) from error


def _names(feature: Any, where: str) -> Sequence[str] | None:
    """The class names of a feature, if it has any."""
    names = getattr(feature, "names", None)
    if names is not None and not all(isinstance(name, str) for name in names):
        raise DataError("has class names that are not texts.", where=where, do="Save it again with save_to_disk.")
    return names


def _column(part: Any, name: str, where: str) -> Shaped[np.ndarray, "..."]:
    column = np.asarray(part[name])
    if column.dtype.kind == "O":
        raise DataError(f"{name} holds empty or mixed cells.", where=where, do="Remove these samples.")
    return column


def _images(parts: list[Any], column: str) -> Iterator[tuple[str, Image.Image]]:
    for part in parts:
        for index in range(len(part)):
            try:
                image = part[index][column]
            except Exception as error:  # Pillow and Arrow raise many unrelated exception types
                raise DataError(
                    f"image {index} cannot be read: {first_line(error)}", where="data.image", do="Repair or remove it."
                ) from error
            if not isinstance(image, Image.Image):
                raise DataError(
                    f"sample {index} has a {type(image).__name__} for its {column}, not an image.",
                    where="data.image",
                    do="Name the column of images, or read the data with a factory.",
                )
            yield f"image {index}", image
