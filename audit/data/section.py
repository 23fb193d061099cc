"""The base class of a recipe's data sections."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from audit.data.dataset import Dataset, only_classes, refuse_alike, some_of
from probes.errors import DataError


def each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError if a class is named twice."""
    if len(set(names)) < len(names):
        raise ValueError("a class is named twice")
    return names


ImageSize = Annotated[int, Field(ge=1, le=16_384, strict=True)]
"""Side of a square image in pixels."""


class DataSection(BaseModel):
    """One kind of data source; its fields are its keys in the recipe, and `kind`, a literal, is its name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    classes: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(each_once)] | None = None
    """Keep only these classes, in this order."""
    take: int | None = Field(default=None, ge=1, strict=True)
    """Take this many of the samples, drawn class by class, always the same: every model is evaluated on every
    sample."""

    @abstractmethod
    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        """All samples; relative paths are relative to `root`. Raises DataError."""

    def load(self, root: Path, *, trust_code: bool = False) -> Dataset:
        """The samples the recipe asks for; `trust_code` lets a factory run. Raises DataError."""
        dataset = self.read(root, trust_code=trust_code)
        if dataset.modality == "image" and dataset.inputs.ndim != 4:
            raise DataError(
                f"a sample has shape {dataset.inputs.shape[1:]}, an image (height, width, channels).",
                where=dataset.name,
                do='Set modality to "table" or "text", or reshape the samples.',
            )
        refuse_alike(dataset)
        if self.classes:
            dataset = only_classes(dataset, self.classes)
        return some_of(dataset, self.take) if self.take else dataset
