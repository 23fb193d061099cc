"""Tables: a row a sample, numbers as they are, words as one column a value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from audit.data.dataset import Dataset
from audit.data.section import DataSection


class Table(DataSection):
    """Standardise with `normalise = "members"` in [input]: by the members' mean and deviation alone."""

    kind: Literal["table"] = "table"
    path: Path
    """.csv, .tsv or .parquet"""
    target: str
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header."""
    drop: tuple[str, ...] = ()
    missing: Literal["refuse", "median"] = "refuse"
    """What becomes of rows that lack a number: refused, or filled with the column's median over all samples."""
    groups: str | None = None
    """A column that says which samples belong together (a patient); it is no feature."""
    times: str | None = None
    """A column of numbers or ISO dates that says in which order samples came; it is no feature."""
    ids: str | None = None
    """A column that says what the owner calls each sample; it is no feature. Reports name samples by it."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        # Reading a recipe, to say what is wrong with it, must not wait for pandas.
        from audit.data.dataframe import dataset, frame_of

        path = root / self.path
        frame = frame_of(path, self.columns)
        fill = self.missing == "median"
        return dataset(
            frame,
            path,
            target=self.target,
            drop=self.drop,
            groups=self.groups,
            times=self.times,
            ids=self.ids,
            fill=fill,
        )
