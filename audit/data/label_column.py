"""A column of labels: text as it is written, unless it holds plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from audit.data.column_file import Series
from audit.data.columns import numbers_in, refuse_nested
from audit.data.labels import Labels, labels_of, refuse_written_alike
from probes.errors import DataError
from probes.message import Message

PLAIN = r"-?(?:0|[1-9]\d{0,14})"
"""A whole number that is written back exactly as it was read."""
WRITTEN = r"[+-]?\d{1,15}(?:\.\d*)?"
"""A number in digits, which a code (007) may be as well; with more of them it is not a class number."""


def labels_in(column: Series, names: Sequence[str] | None, where: str) -> Labels:
    """Labels of a column of text, numbers or Booleans; `names` are the classes in the order of their numbers, if known.

    Text is read as numbers only if no label changes by it, but for decimals of zero that all labels have (1.0): 007
    and 7 are two classes. Raises DataError if a label is missing or fractional.
    """
    place = f"{where}, {column.name}"
    refuse_nested(column, str(column.name), where)
    numbers, _ = numbers_in(column)
    _must_be_complete(column, numbers, where)
    if pd.api.types.is_bool_dtype(column):
        given = column.to_numpy(dtype=bool)
        return labels_of(given.astype(str) if names is None else given, names, place)
    if pd.api.types.is_numeric_dtype(column):
        return _numbered(_integers(column), names, place)
    refuse_written_alike(column, place)
    words = column.astype(str).to_numpy(dtype=str)
    if numbers is None or (names is not None and set(words) <= set(names)):
        return labels_of(words, names, place)
    text = column.astype("string").str.strip()
    if text.str.fullmatch(WRITTEN).all():
        plain = _numbered(_integers(numbers), names, place)
        if names is not None or _unchanged(text):
            return plain
    return _as_written(text, numbers, place)


def _numbered(numbers: np.ndarray, names: Sequence[str] | None, place: str) -> Labels:
    """Without names, the classes are called by their numbers, so that there is nothing to be told."""
    found = labels_of(numbers, names, place)
    return found if names is not None else Labels(numbers=found.numbers, classes=found.classes)


def _must_be_complete(column: Series, numbers: Series | None, where: str) -> None:
    missing = (column if numbers is None else numbers).isna().to_numpy(dtype=bool)
    if column.dtype.kind not in "biufmM":
        missing = missing | (column.astype("string").str.strip() == "").fillna(False).to_numpy(dtype=bool)
    if not missing.any():
        return
    row = int(missing.argmax())
    cell = column.iloc[row]
    said = (
        ""
        if column.isna().iloc[row] or not str(cell).strip()
        else f"The cell contains {str(cell)[:40]!r}, and the others numbers. "
    )
    raise DataError(f"row {row} has no {column.name}.", where=where, do=f"{said}Remove the row, or give it a class.")


def _integers(numbers: Series) -> Shaped[np.ndarray, " rows"]:
    """Integers as they are, so that large ones are not rounded; anything else as float64."""
    if numbers.dtype.kind in "iu" and not pd.api.types.is_extension_array_dtype(numbers):
        return numbers.to_numpy()
    return numbers.to_numpy(dtype=np.float64)


def _unchanged(text: Series) -> bool:
    """Whether each number can be told from its text, and the text from the number."""
    zeros = text.str.extract(r"(\.0+)?$", expand=False).fillna("")
    return bool(zeros.nunique() == 1 and text.str.replace(r"\.0+$", "", regex=True).str.fullmatch(PLAIN).all())


def _as_written(text: Series, numbers: Series, place: str) -> Labels:
    """Each spelling is a class; they are numbered in the order of the numbers that they spell."""
    found = labels_of(text.to_numpy(dtype=str), None, place)
    value = dict(zip(text, numbers, strict=True))
    order = sorted(range(len(found.classes)), key=lambda one: (value[found.classes[one]], found.classes[one]))
    rank = np.argsort(np.array(order))
    first = next((name for name in found.classes if name != f"{value[name]:.17g}"), found.classes[0])
    kept = Message("audit.data-labels-as-text", {"written": repr(first), "number": f"{value[first]:.17g}"})
    return Labels(
        numbers=rank[found.numbers].astype(np.int64),
        classes=tuple(found.classes[one] for one in order),
        notes=(*found.notes, kept),
    )
