"""From a data frame to samples: the role of each column, and cells that cannot be used."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int64

from audit.data.column_file import SUFFIXES, ColumnFile, Frame, Series, check_expansion, readable, to_pandas
from audit.data.columns import Features, features_of, numbers_in, refuse_nested
from audit.data.dataset import Dataset
from audit.data.features import EXACT
from audit.data.group_column import groups_of, named
from audit.data.label_column import labels_in
from audit.data.table_rows import dropped_rows, refuse_second_header, refuse_totals, without_empty_rows
from audit.data.written_dates import moments_of
from audit.data.written_numbers import hours_of
from audit.storage.bounded import regular
from audit.storage.other_files import other_file
from probes.errors import DataError, did_you_mean


def frame_of(path: Path, columns: Sequence[str] | None, as_text: Collection[str] = ()) -> pd.DataFrame:
    """A .csv, .tsv or .parquet file; `columns` names the columns of a file without a header. The cells of `as_text` are
    kept as they are written: 007 is not 7. Raises DataError."""
    size = regular(path, DataError, do="Check data.path in the recipe.")
    names = None if columns is None else list(columns)
    with readable(path):
        frame = _parquet(path, size) if path.suffix.lower() == ".parquet" else _text(path, names, as_text)
    frame.columns = pd.Index([str(name) for name in frame.columns], dtype=object)
    _once(list(frame.columns), path)
    if not len(frame):
        raise DataError("has no rows.", where=str(path))
    return frame


def columns_of(path: Path, columns: Sequence[str] | None, as_text: Collection[str] = ()) -> Frame:
    """As `frame_of`, but the columns of a Parquet or Arrow file stay in it until they are asked for. Raises
    DataError."""
    if path.suffix.lower() not in SUFFIXES:
        return frame_of(path, columns, as_text)
    found = ColumnFile(path)
    _once(found.columns, path)
    if not len(found):
        raise DataError("has no rows.", where=str(path))
    return found


SEPARATORS = ",;\t|"
STATED = re.compile(r'"?sep=(?P<separator>[^\w\s"\\]|\t)"?(?:\r\n|\r|\n)', re.IGNORECASE)
CELLS = re.compile(r"Expected (?P<expected>\d+) fields in line (?P<line>\d+), saw (?P<found>\d+)")
"""What pandas says of a line with more cells than the ones before."""
HEAD, LINES = 2**16, 20
"""How many bytes and lines are looked at before the file is read."""
WIDER = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""Encodings by their byte order marks, the longer marks first."""


def _text(path: Path, names: list[str] | None, as_text: Collection[str]) -> pd.DataFrame:
    encoding, separator, header, said = _first_line(path, names)
    if names is None:
        _once(header, path)
    elif len(header) != len(names):
        raise DataError(
            f"has {len(header)} columns in its first line, but data.columns names {len(names)}.", where=str(path)
        )
    # "?" and "NA" may be values; only an empty cell is missing. `columns` decides what they are in a numeric column.
    options: dict[str, Any] = {"keep_default_na": False, "na_values": [""], "skipinitialspace": True}
    options |= {"low_memory": False, "encoding": encoding, "compression": None, "index_col": False}
    options |= {"decimal": ","} if separator == ";" else {}
    options |= {"sep": separator, "names": names, "header": None if names else 0, "skiprows": int(said)}
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            found = pd.read_csv(path, nrows=0, **options).columns if as_text else ()
            options["dtype"] = {name: "string" for name in found if str(name).strip() in as_text}
            text: pd.DataFrame = pd.read_csv(path, **options)
            if long := [name for name in text.columns if _lost_digits(text[name])]:
                options["dtype"] |= dict.fromkeys(long, "string")
                text = pd.read_csv(path, **options)
        except pd.errors.ParserWarning:
            raise DataError(
                "has rows with more cells than the first line.", where=str(path), do="Name every column in the header."
            ) from None
        except pd.errors.EmptyDataError:
            raise DataError("is empty.", where=str(path), do="Check data.path in the recipe.") from None
        except pd.errors.ParserError as error:
            if (cells := CELLS.search(str(error))) is None:
                raise
            raise DataError(
                f"line {cells['line']} has {cells['found']} cells, the lines above {cells['expected']}.",
                where=str(path),
                do="Name every column in the header, and remove what stands above it.",
            ) from None
    if names is None:
        text.columns = pd.Index([str(name).strip() for name in text.columns])
        _refuse_repeated_header(text, path)
        refuse_second_header(text, path)
    text = without_empty_rows(text)
    refuse_totals(text, path)
    return text


def _lost_digits(column: Series) -> bool:
    """Whether a column with gaps, which pandas reads as floats, holds whole numbers too long for these."""
    if column.dtype != np.float64 or not column.isna().any():
        return False
    known = column.dropna().abs()
    return bool(len(known) and np.isfinite(known.max()) and known.max() > EXACT and (known % 1 == 0).all())


def _first_line(path: Path, names: list[str] | None) -> tuple[str, str, list[str], bool]:
    """The encoding, the separator, the cells of the first line, and whether a line above it states the separator, as
    Excel writes it. Raises DataError for what is not text."""
    with path.open("rb") as file:
        start = file.read(HEAD)
    if start and (other := other_file(path)) is not None:
        raise DataError(f"is {other[0]}.", where=str(path), do=other[1])
    encoding = next((found for mark, found in WIDER.items() if start.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\x00" in start:
        raise DataError("holds zero bytes, so it is not text.", where=str(path), do="Save it as CSV in UTF-8.")
    text = start.decode(encoding, "ignore")
    if (stated := STATED.match(text)) is not None:
        separator = stated["separator"]
        return encoding, separator, next(iter(_records(text[stated.end() :], separator)), []), True
    line = next((one for one in text.splitlines() if one.strip()), "")
    default = "\t" if path.suffix.lower() == ".tsv" else ","
    likely = sorted(SEPARATORS, key=lambda one: (one != default, -line.count(one)))
    found = {one: _records(text.lstrip("\r\n"), one) for one in likely if one in line or one == default}
    fitting = [one for one, rows in found.items() if {len(row) for row in rows} == {len(names or ())}] if names else []
    separator = next(iter(fitting or [one for one in found if one in line] or found))
    return encoding, separator, next(iter(found[separator]), []), False


def _records(text: str, separator: str) -> list[list[str]]:
    """The cells of the first lines."""
    try:
        rows = islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), LINES)
        return [[cell.strip() for cell in row] for row in rows if row]
    except csv.Error:  # a cell that goes on beyond what was read, or is longer than the reader takes
        return [[cell.strip() for cell in text.split("\n", 1)[0].split(separator)]]


def _once(names: list[str], path: Path) -> None:
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        twice = next(name for place, name in enumerate(named) if name in named[:place])
        raise DataError(f"has two columns named {twice!r}.", where=str(path), do="Rename one.")


def _refuse_repeated_header(frame: pd.DataFrame, path: Path) -> None:
    """Raises DataError if a row repeats the header, as in files that were joined."""
    text = [name for name in frame.columns if frame[name].dtype.kind not in "iufbmM"]
    if not text or len(text) < len(frame.columns):
        return
    same = np.logical_and.reduce([(frame[name].astype("string") == name).fillna(False).to_numpy() for name in text])
    if same.any():
        raise DataError(f"row {int(same.argmax())} repeats the header.", where=str(path), do="Remove it.")


def _parquet(path: Path, size: int) -> pd.DataFrame:
    from pyarrow import parquet

    check_expansion(path, size)
    table = parquet.read_table(path)
    table.validate(full=True)  # texts that are not UTF-8 are found here, not where one is looked at
    return to_pandas(table)


def dataset(
    frame: Frame,
    path: Path,
    *,
    target: str,
    drop: Sequence[str],
    groups: str | Sequence[str] | None,
    times: str | None,
    ids: str | None = None,
    fill: bool = False,
    categories: Sequence[str] = (),
) -> Dataset:
    """Every column without a role is a feature; `fill` replaces missing numbers by medians. Raises DataError on an
    unknown column or an empty cell."""
    by = named(groups)
    roles = [target, *drop, *by, *filter(None, (times, ids))]
    for name in (*roles, *categories):
        if name not in frame.columns:
            raise _no_column(name, frame, path)
    for name in filter(None, (target, *by, times, ids)):
        refuse_nested(frame[name], name, str(path))
    labels = labels_in(frame[target], None, str(path))
    codes, group_names, said = groups_of([_written(frame[name]) for name in by]) if by else (None, (), ())
    unused = list(dict.fromkeys(roles))
    features: Features = features_of(frame, str(path), unused=unused, fill=fill, categories=categories)
    return Dataset(
        name=path.stem,
        inputs=features.values,
        labels=labels.numbers,
        classes=labels.classes,
        modality="table",
        feature_names=features.names,
        groups=codes,
        group_names=group_names,
        times=None if times is None else _ranks(frame[times], path),
        ids=() if ids is None else tuple(frame[ids].astype("string").fillna("")),
        notes=(*dropped_rows(frame), *said, *features.notes, *labels.notes),
    )


def _no_column(name: str, frame: Frame, path: Path) -> DataError:
    first = frame.head(LINES)
    for row in range(len(first)):
        if name in first.iloc[row].astype("string").fillna("").str.strip().tolist():
            return DataError(
                f"has no column {name!r} in its first line, but in row {row}.",
                where=str(path),
                do="Remove the lines above the names of the columns.",
            )
    return DataError(f"has no column {name!r}. {did_you_mean(name, list(map(str, frame.columns)))}", where=str(path))


def _written(column: Series) -> list[str]:
    return [str(one) for one in column.astype("string").fillna("")]


def _ranks(column: Series, path: Path) -> Int64[np.ndarray, " samples"]:
    """The order of numbers, dates or times of day. Raises DataError if a cell is none."""
    try:
        times = _moments(column, str(path))
    except (ValueError, OverflowError):
        raise DataError(f"{column.name} holds dates that are out of range.", where=str(path)) from None
    if times is None:
        raise DataError(
            f"{column.name} holds neither numbers nor dates: {str(column.dropna().iloc[0])[:40]!r}.", where=str(path)
        )
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        said = "" if column.isna().iloc[row] else f"The cell contains {str(column.iloc[row])[:40]!r}."
        raise DataError(f"row {row} has no {column.name}.", where=str(path), do=said)
    return times.rank(method="dense").to_numpy().astype(np.int64) - 1


def _moments(column: Series, where: str) -> Series | None:
    if pd.api.types.is_numeric_dtype(column) or column.dtype.kind in "mM" or column.isna().all():
        return column
    text = column.astype("string").str.strip()
    if (found := moments_of(text, str(column.name), where)) is not None:
        return found[0]
    return hours if (hours := hours_of(text)) is not None else numbers_in(column)[0]
