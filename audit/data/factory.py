"""Data from a Python function: anything that can be made into a Dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from audit.data.dataset import Dataset
from audit.data.section import DataSection
from audit.runtime.user_code import load_factory
from probes.errors import DataError, DependencyError


class Factory(DataSection):
    kind: Literal["factory"] = "factory"
    function: str
    """`package.module:function`, searched for beside the recipe first; it receives `options` and returns a Dataset."""
    options: dict[str, Any] = Field(default_factory=dict)

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        make = load_factory(self.function, root, trust_code=trust_code, where="data.function")
        try:
            dataset = make(**self.options)
        except ImportError as error:
            raise DependencyError(
                f"{self.function} needs a package that is not installed: {error}.",
                where="data",
                do="Install it with pip.",
            ) from error
        except TypeError as error:
            raise DataError(f"{self.function} refuses its options: {error}", where="data.options") from error
        if not isinstance(dataset, Dataset):
            raise DataError(
                f"{self.function} returned a {type(dataset).__name__}.",
                where="data.function",
                do="Return an audit.data.dataset.Dataset.",
            )
        return dataset
