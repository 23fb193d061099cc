"""From a data frame to samples: which column is what, and what cannot be one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from audit.data.dataset import Dataset
from probes.errors import DataError, DependencyError, did_you_mean


def frame_of(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    """A .csv, .tsv or .parquet file; `columns` names those of a file without a header. Raises DataError."""
    if not path.is_file():
        raise DataError("no such file", where=str(path), do="Check data.path in the recipe.")
    names = None if columns is None else list(columns)
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


def dataset(
    frame: pd.DataFrame, path: Path, *, target: str, drop: Sequence[str], groups: str | None, times: str | None
) -> Dataset:
    """Every column without a role is a feature. Raises DataError on an unknown column or an empty cell."""
    roles = [target, *drop, *filter(None, (groups, times))]
    for name in roles:
        if name not in frame.columns:
            known = [str(column) for column in frame.columns]
            raise DataError(f"has no column {name!r}. {did_you_mean(name, known)}", where=str(path))
    if frame[target].isna().any():
        raise DataError(f"row {int(frame[target].isna().argmax())} has no {target}.", where=str(path))
    labels, classes = pd.factorize(frame[target], sort=True)
    codes, group_names = (None, ()) if groups is None else _groups(frame[groups])
    features = _features(frame.drop(columns=roles), path)
    return Dataset(
        name=path.stem,
        inputs=features.to_numpy(dtype=np.float32),
        labels=labels.astype(np.int64),
        classes=tuple(str(name) for name in classes),
        modality="table",
        feature_names=tuple(str(name) for name in features.columns),
        groups=codes,
        group_names=group_names,
        times=None if times is None else _ranks(frame[times], path),
    )


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
