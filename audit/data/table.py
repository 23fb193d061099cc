"""Tables: one row per sample, numbers as they are, categorical columns as one column per value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from audit.data.dataset import Dataset
from audit.data.section import DataSection


class Table(DataSection):
    """To standardise, use `normalise = "members"` in [input]: with the mean and standard deviation of the members
    only."""

    kind: Literal["table"] = "table"
    path: Path
    """.csv, .tsv, .parquet, .arrow or .feather"""
    target: str
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header."""
    drop: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """Columns that are categorical although they hold numbers: codes, or numbers among words."""
    missing: Literal["refuse", "median"] = "refuse"
    """How to treat missing numbers: refuse them, or fill them with the column's median over all samples."""
    groups: str | tuple[str, ...] | None = None
    """A column that says which samples belong together (a patient), or several (patients and their households: samples
    that agree in one of them belong together); it is not a feature."""
    times: str | None = None
    """A column of numbers or ISO dates with the time order of samples; it is not a feature."""
    ids: str | None = None
    """A column with the owner's identifiers of samples; it is not a feature. Reports use these identifiers."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        # Imported late: validating a recipe must not wait for pandas.
        from audit.data.dataframe import columns_of, dataset
        from audit.data.group_column import named

        path = root / self.path
        frame = columns_of(path, self.columns, as_text=list(filter(None, (self.target, *named(self.groups), self.ids))))
        fill = self.missing == "median"
        return dataset(
            frame,
            path,
            target=self.target,
            drop=self.drop,
            categories=self.categories,
            groups=self.groups,
            times=self.times,
            ids=self.ids,
            fill=fill,
        )
