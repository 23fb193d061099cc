"""Columns of a table to features: numbers, dates as days, categorical columns as one 0/1 column per value; identifiers
are left out."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64

from audit.data.column_file import Frame, Series
from audit.data.features import EXACT, exact, float32_of
from audit.data.units import measured, refuse_mixed_signs
from audit.data.written_dates import moments_of
from audit.data.written_durations import durations_of
from audit.data.written_numbers import NOTHING, hours_of, interpreted, numbers_of
from probes.errors import DataError
from probes.large_arrays import Collected
from probes.message import Message

NUMERIC = 0.5
"""A column is numeric if more than this share of its non-missing cells can be read as numbers."""
ODD = 0.05
"""At most this share of a numeric column's cells may be no number: they are typing errors, and not values."""
AMONG = 0.2
"""A column of words in which more than this share of the cells are (different) numbers is not categorical either."""
MOST_VALUES = 1000
"""Largest number of values of a categorical column: each becomes a feature."""
INDEX = ("Unnamed: ", "level_0", "__index_level_")
"""How names of columns begin that programs give to an index without a name."""
FEW = 20
"""A column with fewer values is never taken for an identifier."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """`notes` say what was converted or left out."""

    values: Float32[np.ndarray, "samples features"]
    names: tuple[str, ...]
    notes: tuple[Message, ...]


def features_of(
    frame: Frame, where: str, *, fill: bool, unused: Collection[str] = (), categories: Collection[str] = ()
) -> Features:
    """Numeric columns first, then categorical ones, in the order of the table; those of `categories` are categorical
    whatever they hold, `unused` ones are no features. Raises DataError on a missing or unusable cell."""
    numbers: dict[str, Float64[np.ndarray, " samples"]] = {}
    words: dict[str, Series] = {}
    left_out: list[Message] = []
    notes: list[Message] = []
    kept = Collected()
    for name in frame.columns:
        if name in unused or _left_out(column := frame[name], str(name), where, left_out):
            continue
        if name in categories:
            read = column.astype("string").fillna("(none)")
        else:
            read = _column(column, str(name), where, notes, fill=fill)
        if read.dtype == "string":
            words[str(name)] = read
        else:
            numbers[str(name)] = kept.keep(read.to_numpy(dtype=np.float64))
    words = _without_identifiers(words, where, notes, categories)
    marks = pd.get_dummies(pd.DataFrame(words), prefix_sep="=", dtype=bool) if words else pd.DataFrame()
    names = (*numbers, *map(str, marks.columns))
    if not names:
        raise DataError("has no columns but the target.", where=where)
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise DataError(f"would have two features named {twice!r}.", where=where, do="Rename the column of that name.")
    values, shifted = float32_of([*numbers.values(), *marks.to_numpy().T], names, where)
    return Features(values=values, names=names, notes=(*left_out, *notes, *shifted))


def numbers_in(column: Series) -> tuple[Series | None, list[str]]:
    """The column as numbers, NaN if a cell is missing, and the codes of what was interpreted; None if it is
    categorical."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column, []
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "mMc":
        return None, []
    text = _cells(column)
    read, codes = numbers_of(text)
    known = int(text.notna().sum())
    if not known or read.notna().sum() <= NUMERIC * known or (read.notna().sum() < known and _answers(text, read)):
        return None, []
    return (None, []) if _merged(text, read) else (read, codes)


def _merged(text: Series, read: Series) -> bool:
    """Whether long numbers, such as those of accounts, are no longer told apart as numbers."""
    return bool(text.str.fullmatch(r"[+-]?\d{16,}").any() and read.nunique() < text.nunique())


INVISIBLE = dict.fromkeys((0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF))
KEPT_AS_TEXT = re.compile(r"^(?:=\"(.*)\"|'(.*))$", re.DOTALL)
"""How spreadsheets are told that a cell is not a number: ="12" and '12."""


def _cells(column: Series) -> Series:
    """As strings without spaces and invisible characters around them, missing where a marker says so."""
    text = column.astype("string").str.translate(INVISIBLE).str.strip()
    text = text.str.replace(KEPT_AS_TEXT, lambda found: found[1] or found[2] or "", regex=True)
    return text.mask(text.str.lower().isin(NOTHING))


def _answers(text: Series, read: Series) -> bool:
    """Whether the non-numeric cells among numbers are values in their own right ("<5", "6-10") rather than typing
    errors."""
    odd = text[read.isna() & text.notna()]
    return len(odd) > ODD * len(text)


def _column(column: Series, name: str, where: str, notes: list[Message], *, fill: bool) -> Series:
    """Numbers as float64, words as strings."""
    if _long_with_gaps(column):
        column = column.astype("string")
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
            numbers, shifted = exact(column.to_numpy(), name)
            notes += [] if shifted is None else [shifted]
            return pd.Series(numbers, index=column.index)
        return _whole(column, column.astype("float64"), name, where, notes, fill=fill)
    found = _of_time(column, name, where) or _of_text(column, name, where)
    if found is None:
        return column.astype("string").fillna("(none)")
    notes += found[1]
    return _whole(column, found[0].astype("float64"), name, where, notes, fill=fill)


def _long_with_gaps(column: Series) -> bool:
    """Whether 64-bit floats, which know gaps, would lose digits of whole numbers that are exact now."""
    if not (pd.api.types.is_integer_dtype(column) and column.isna().any() and column.notna().any()):
        return False
    return max(int(column.max()), -int(column.min())) > EXACT


def _of_text(column: Series, name: str, where: str) -> tuple[Series, list[Message]] | None:
    """Numbers that are written as text, and what a report says of them; None for words. Raises DataError on mixtures
    that have no single reading."""
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind == "c":
        return None
    text = _cells(column)
    numbers, codes = numbers_in(column)
    if numbers is not None:
        if "audit.data-signs" in codes:
            refuse_mixed_signs(text[numbers.notna()], name, where)
        return numbers, interpreted(codes, name)
    if (found := measured(text, name, where)) is None:
        _refuse_words_among_numbers(text, name, where)
    return found


def _refuse_words_among_numbers(text: Series, name: str, where: str) -> None:
    """A few numbers are values like words; many would become a category each. Raises DataError."""
    read, _ = numbers_of(text)
    known, numbers = int(text.notna().sum()), int(read.notna().sum())
    if numbers <= AMONG * known or numbers == known or read.nunique() <= FEW:
        return
    row = int((read.isna() & text.notna()).to_numpy().argmax())
    raise DataError(
        f"{name} mixes numbers and words: {known - numbers} of {known} cells are no numbers, such as "
        f"{str(text.iloc[row])[:40]!r} in row {row}.",
        where=where,
        do=f'Leave them empty and set data.missing = "median", or name {name} in data.categories or data.drop.',
    )


def _whole(column: Series, numbers: Series, name: str, where: str, notes: list[Message], *, fill: bool) -> Series:
    if not numbers.isna().any():
        return numbers
    row, count = int(numbers.isna().to_numpy().argmax()), int(numbers.isna().sum())
    if not fill:
        lacking = "1 row lacks" if count == 1 else f"{count} rows lack"
        said = "" if column.isna().iloc[row] else f"The cell contains {str(column.iloc[row])[:40]!r}. "
        raise DataError(
            f"row {row} has no {name}.",
            where=where,
            do=f'{said}{lacking} it. Fill it in, set data.missing = "median", or name it in data.drop.',
        )
    notes.append(Message("audit.data-filled", {"column": name, "count": int(count)}))
    return numbers.fillna(numbers.median() if numbers.notna().any() else 0.0)


def _of_time(column: Series, name: str, where: str) -> tuple[Series, list[Message]] | None:
    """Days since 1970 for dates, days for durations, hours for times of day; None if the column holds none of these,
    or dates out of range. Raises DataError if a date can be read in two ways."""
    try:
        spans, said = _spans(column, name, where)
    except (ValueError, OverflowError):
        return None
    return None if spans is None else (spans, said)


def _spans(column: Series, name: str, where: str) -> tuple[Series | None, list[Message]]:
    said = Message("audit.data-dates", {"column": name})
    if column.dtype.kind == "m":
        return column.dt.total_seconds() / 86400, []
    if column.dtype.kind != "M":
        if isinstance(column.dtype, pd.CategoricalDtype):
            return None, []
        text = _cells(column)
        if (hours := hours_of(text)) is not None:
            return hours, [Message("audit.data-times", {"column": name})]
        if (days := durations_of(text)) is not None:
            return days, [Message("audit.data-durations", {"column": name})]
        if (found := moments_of(text, name, where)) is None:
            return None, []
        column, said = found
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    start = pd.Timestamp(0).as_unit("us")  # nanoseconds end in the year 2262
    return (column.dt.as_unit("us") - start).dt.total_seconds() / 86400, [said]


def _without_identifiers(
    words: dict[str, Series], where: str, notes: list[Message], categories: Collection[str]
) -> dict[str, Series]:
    """A column with a different value in most rows identifies rows. Raises DataError if a column has too many
    values."""
    kept = {}
    for name, column in words.items():
        values = column.nunique()
        if values > FEW and 2 * values > len(column) and name not in categories:
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


def _left_out(column: Series, name: str, where: str, notes: list[Message]) -> bool:
    """Whether it has no cell, or numbers the rows, as pandas and R write it without a name. Raises DataError on cells
    that hold several values or bytes."""
    if column.isna().all():
        notes.append(Message("audit.data-empty-column", {"column": name}))
    elif name.startswith(INDEX) and numbers_rows(column):
        notes.append(Message("audit.data-row-numbers", {"column": name}))
    else:
        refuse_nested(column, name, where)
        return False
    return True


def numbers_rows(column: Series) -> bool:
    """Whether each row has a whole number of its own, in any order: rows that were shuffled or selected keep theirs."""
    return column.dtype.kind in "iu" and column.is_unique


def refuse_nested(column: Series, name: str, where: str) -> None:
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
