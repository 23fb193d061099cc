"""Tables: a row a sample, numbers as they are, words as one column a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Int64

from audit.data.dataset import Dataset
from audit.data.source import DataSection
from probes.errors import DataError, DependencyError, did_you_mean


class Table(DataSection):
    """Standardise with `normalise = "members"` in [input]: by the members' mean and deviation alone."""

    kind: Literal["table"] = "table"
    path: Path
    """.csv, .tsv or .parquet"""
    target: str
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header."""
    drop: tuple[str, ...] = ()
    groups: str | None = None
    """A column that says which samples belong together (a patient); it is no feature."""
    times: str | None = None
    """A column of numbers or ISO dates that says in which order samples came; it is no feature."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        path = root / self.path
        frame = self._frame(path)
        for name in (self.target, *self.drop, *filter(None, (self.groups, self.times))):
            if name not in frame.columns:
                known = [str(column) for column in frame.columns]
                raise DataError(f"has no column {name!r}. {did_you_mean(name, known)}", where=str(path))
        if frame[self.target].isna().any():
            raise DataError(f"row {int(frame[self.target].isna().argmax())} has no {self.target}.", where=str(path))
        labels, classes = pd.factorize(frame[self.target], sort=True)
        groups, group_names = (None, ()) if self.groups is None else _groups(frame[self.groups])
        kept = frame.drop(columns=[self.target, *self.drop, *filter(None, (self.groups, self.times))])
        features = _features(kept, path)
        return Dataset(
            name=path.stem,
            inputs=features.to_numpy(dtype=np.float32),
            labels=labels.astype(np.int64),
            classes=tuple(str(name) for name in classes),
            modality="table",
            feature_names=tuple(str(name) for name in features.columns),
            groups=groups,
            group_names=group_names,
            times=None if self.times is None else _ranks(frame[self.times], path),
        )

    def _frame(self, path: Path) -> pd.DataFrame:
        if not path.is_file():
            raise DataError("no such file", where=str(path), do="Check data.path in the recipe.")
        names = None if self.columns is None else list(self.columns)
        try:
            if path.suffix == ".parquet":
                parquet: pd.DataFrame = pd.read_parquet(path)
                return parquet
            separator = "\t" if path.suffix == ".tsv" else ","
            # "?" and "NA" may be answers; only an empty cell is none.
            options: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "skipinitialspace": True}
            text: pd.DataFrame = pd.read_csv(path, sep=separator, names=names, header=None if names else 0, **options)
            return text
        except ImportError:
            raise DependencyError("Parquet needs pyarrow.", where=str(path), do="pip install pyarrow") from None
        except (ValueError, OSError) as error:
            raise DataError(f"cannot be read as a table: {str(error).splitlines()[0]}", where=str(path)) from error


def _features(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Numbers, and a 0/1 column `name=value` for each value of a column of words."""
    if not len(frame.columns):
        raise DataError("has no columns but the target.", where=str(path))
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    for name in numbers:
        if frame[name].isna().any():
            row = int(frame[name].isna().to_numpy().argmax())
            raise DataError(f"row {row} has no {name}.", where=str(path), do="Fill it in, or name it in data.drop.")
    words = frame.drop(columns=numbers).astype("string").fillna("(none)")
    parts = [frame[numbers].astype(np.float64)]
    if len(words.columns):
        parts.append(pd.get_dummies(words, prefix_sep="=", dtype=np.float64))
    return pd.concat(parts, axis=1)


def _groups(column: pd.Series[Any]) -> tuple[Int64[np.ndarray, " samples"], tuple[str, ...]]:
    codes, names = pd.factorize(column.astype("string").fillna("(none)"), sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)


def _ranks(column: pd.Series[Any], path: Path) -> Int64[np.ndarray, " samples"]:
    times = (
        column if pd.api.types.is_numeric_dtype(column) else pd.to_datetime(column, errors="coerce", format="ISO8601")
    )
    if times.isna().any():
        raise DataError(f"row {int(times.isna().to_numpy().argmax())} has no {column.name}.", where=str(path))
    return times.rank(method="dense").to_numpy().astype(np.int64) - 1
