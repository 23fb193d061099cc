"""Columns of a table to features: numbers, dates as days, categorical columns as one 0/1 column per value; identifiers
are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32

from audit.data.features import float32_of
from audit.data.written_numbers import NOTHING, hours_of, interpreted, numbers_of
from probes.errors import DataError
from probes.message import Message

NUMERIC = 0.5
"""A column is numeric if more than this share of its non-missing cells can be read as numbers."""
MOST_VALUES = 1000
"""Largest number of values of a categorical column: each becomes a feature."""
FEW = 20
"""A column with fewer values is never taken for an identifier."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """`notes` say what was converted or left out."""

    values: Float32[np.ndarray, "samples features"]
    names: tuple[str, ...]
    notes: tuple[Message, ...]


def features_of(frame: pd.DataFrame, where: str, *, fill: bool) -> Features:
    """Numeric columns first, then categorical ones, in the order of the table. Raises DataError on a missing or
    unusable cell."""
    numbers: dict[str, pd.Series[Any]] = {}
    words: dict[str, pd.Series[Any]] = {}
    notes: list[Message] = []
    frame = frame.drop(columns=_left_out(frame, where, notes))
    for name in frame.columns:
        read = _column(frame[name], str(name), where, notes, fill=fill)
        (words if read.dtype == "string" else numbers)[str(name)] = read
    words = _without_identifiers(words, where, notes)
    parts = [pd.DataFrame({name: column.astype(np.float64) for name, column in numbers.items()}, index=frame.index)]
    if words:
        parts.append(pd.get_dummies(pd.DataFrame(words), prefix_sep="=", dtype=np.float64))
    table = pd.concat(parts, axis=1)
    if not len(table.columns):
        raise DataError("has no columns but the target.", where=where)
    names = tuple(str(name) for name in table.columns)
    values, shifted = float32_of(table.to_numpy(dtype=np.float64), names, where)
    return Features(values=values, names=names, notes=(*notes, *shifted))


def numbers_in(column: pd.Series[Any]) -> tuple[pd.Series[Any] | None, list[str]]:
    """The column as numbers, NaN if a cell is missing, and the codes of what was interpreted; None if it is
    categorical."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column, []
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "mMc":
        return None, []
    text = column.astype("string").str.strip()
    text = text.mask(text.str.lower().isin(NOTHING))
    read, codes = numbers_of(text)
    known = int(text.notna().sum())
    if not known or read.notna().sum() <= NUMERIC * known or (read.notna().sum() < known and _answers(text, read)):
        return None, []
    return read, codes


def _answers(text: pd.Series[Any], read: pd.Series[Any]) -> bool:
    """Whether the non-numeric cells among numbers are values in their own right ("<5", "6-10") rather than typing
    errors."""
    odd = text[read.isna() & text.notna()]
    return len(odd) > 0.05 * len(text)


def _column(column: pd.Series[Any], name: str, where: str, notes: list[Message], *, fill: bool) -> pd.Series[Any]:
    """Numbers as float64, words as strings."""
    codes: list[str] = []
    numbers = _of_time(column, name, notes)
    if numbers is None:
        numbers, codes = numbers_in(column)
    if numbers is None:
        return column.astype("string").fillna("(none)")
    notes += interpreted(codes, name)
    return _whole(column, numbers.astype("float64"), name, where, notes, fill=fill)


def _whole(
    column: pd.Series[Any], numbers: pd.Series[Any], name: str, where: str, notes: list[Message], *, fill: bool
) -> pd.Series[Any]:
    if not numbers.isna().any():
        return numbers
    row, count = int(numbers.isna().to_numpy().argmax()), int(numbers.isna().sum())
    if not fill:
        said = "" if pd.isna(column.iloc[row]) else f"The cell contains {str(column.iloc[row])[:40]!r}. "
        raise DataError(
            f"row {row} has no {name}.",
            where=where,
            do=f'{said}{count} rows lack it. Fill it in, set data.missing = "median", or name it in data.drop.',
        )
    notes.append(Message("audit.data-filled", {"column": name, "count": int(count)}))
    return numbers.fillna(numbers.median() if numbers.notna().any() else 0.0)


def _of_time(column: pd.Series[Any], name: str, notes: list[Message]) -> pd.Series[Any] | None:
    """Days since 1970 for dates, days for durations, hours for times of day; None if the column holds none of these,
    or dates out of range."""
    try:
        spans, code = _spans(column)
    except (ValueError, OverflowError):
        return None
    notes += [] if code is None else [Message(code, {"column": name})]
    return spans


def _spans(column: pd.Series[Any]) -> tuple[pd.Series[Any] | None, str | None]:
    if column.dtype.kind == "m":
        return column.dt.total_seconds() / 86400, None
    if column.dtype.kind != "M":
        if pd.api.types.is_numeric_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
            return None, None
        text = column.astype("string").str.strip()
        if (hours := hours_of(text)) is not None:
            return hours, "audit.data-times"
        if not text.str.fullmatch(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?").fillna(False).mean() > NUMERIC:
            return None, None
        column = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return (column - pd.Timestamp(0)).dt.total_seconds() / 86400, "audit.data-dates"


def _without_identifiers(
    words: dict[str, pd.Series[Any]], where: str, notes: list[Message]
) -> dict[str, pd.Series[Any]]:
    """A column with a different value in most rows identifies rows. Raises DataError if a column has too many
    values."""
    kept = {}
    for name, column in words.items():
        values = column.nunique()
        if values > FEW and 2 * values > len(column):
            notes.append(Message("audit.data-identifier", {"column": name, "values": int(values), "rows": len(column)}))
        elif values > MOST_VALUES:
            raise DataError(
                f"{name} has {values} different values, and each would become a feature.",
                where=where,
                do="Name it in data.drop, or group its values.",
            )
        else:
            kept[name] = column
            if values > FEW:
                notes.append(Message("audit.data-categories", {"column": name, "values": int(values)}))
    return kept


def _left_out(frame: pd.DataFrame, where: str, notes: list[Message]) -> list[Any]:
    """Columns without any cell, and those without a name that number the rows, as pandas and R write them. Raises
    DataError on cells that hold several values or bytes."""
    dropped = []
    for name in frame.columns:
        column, said = frame[name], {"column": str(name)}
        if column.isna().all():
            notes.append(Message("audit.data-empty-column", dict(said)))
        elif str(name).startswith("Unnamed: ") and numbers_rows(column):
            notes.append(Message("audit.data-row-numbers", dict(said)))
        else:
            refuse_nested(column, str(name), where)
            continue
        dropped.append(name)
    return dropped


def numbers_rows(column: pd.Series[Any]) -> bool:
    """Whether the cells count the rows, from any start."""
    return column.dtype.kind in "iu" and bool((np.diff(column.to_numpy()) == 1).all())


def refuse_nested(column: pd.Series[Any], name: str, where: str) -> None:
    """Raises DataError if a cell holds bytes or several values, as Parquet and JSON can."""
    if column.dtype != object:
        return
    for row, cell in enumerate(column):
        if isinstance(cell, bytes | bytearray | list | tuple | dict | set | np.ndarray):
            held = "bytes" if isinstance(cell, bytes | bytearray) else "several values"
            raise DataError(
                f"row {row} holds {held} in {name}.",
                where=where,
                do="Give each cell one number or text, or leave the column out.",
            )
