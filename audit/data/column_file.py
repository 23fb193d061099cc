"""Parquet and Arrow files as tables of which one column at a time is in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import pandas as pd

from audit.data.features import EXACT
from audit.storage.bounded import MIB, regular
from probes.errors import DataError, DependencyError, first_line
from probes.json_text import parsed

if TYPE_CHECKING:
    import pyarrow as pa

    Series: TypeAlias = pd.Series[Any]
else:
    Series = pd.Series

SUFFIXES = (".parquet", ".arrow", ".feather")
PARQUET_FREE, PARQUET_EXPANSION = 256 * MIB, 200
"""As `bounded.may_become`, in cells of 8 bytes: a column with few values takes little space in Parquet."""
Columns = Callable[[str], "pa.Table"]
"""Reads a column; the table may hold others too."""


@runtime_checkable
class Frame(Protocol):
    """What is used of a pandas.DataFrame to make samples of it."""

    @property
    def attrs(self) -> dict[Any, Any]: ...

    @property
    def columns(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, name: Any) -> Any: ...

    def head(self, n: int = ...) -> pd.DataFrame: ...


class ColumnFile:
    """A file whose columns are read when they are asked for; Arrow files are mapped. Raises DataError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.attrs: dict[Any, Any] = {}
        size = regular(path, DataError, do="Check data.path in the recipe.")
        with readable(path):
            self._read, schema, self._rows = _parquet(path, size) if path.suffix.lower() == ".parquet" else _arrow(path)
        index = _index_of(schema.metadata or {})
        self.columns = [name for name in schema.names if name not in index]

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> Series:
        with readable(self.path):
            table = self._read(name).select([name])
            table.validate(full=True)  # texts that are not UTF-8 are found here, not where one is looked at
            column: Series = to_pandas(table).iloc[:, 0].reset_index(drop=True)
        return column.rename(name)

    def head(self, n: int = 5) -> pd.DataFrame:
        return pd.DataFrame({name: self[name].head(n) for name in self.columns})


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Whole numbers with gaps stay whole, where floats would lose their digits."""
    import pyarrow as pa
    from pyarrow import compute

    kept = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
    whole = [one for one in table.columns if one.type in kept and 0 < one.null_count < len(one)]
    ends = [compute.min_max(one).as_py() for one in whole]
    long = any(max(found["max"], -found["min"]) > EXACT for found in ends)
    frame: pd.DataFrame = table.to_pandas(types_mapper=kept.get if long else None)
    return frame


def _parquet(path: Path, size: int) -> tuple[Columns, pa.Schema, int]:
    from pyarrow import parquet

    check_expansion(path, size)
    file = parquet.ParquetFile(path, memory_map=True)
    return lambda name: file.read(columns=[name]), file.schema_arrow, file.metadata.num_rows


def check_expansion(path: Path, size: int) -> None:
    """Raises DataError if a Parquet file of this size declares more cells than it could sensibly hold."""
    from pyarrow import parquet

    described = parquet.read_metadata(path)
    if 8 * described.num_rows * described.num_columns > PARQUET_FREE + PARQUET_EXPANSION * size:
        cells = f"{described.num_rows:,} rows of {described.num_columns} columns"
        raise DataError(f"declares {cells} in {size:,} bytes; it was not read.", where=str(path))


def _arrow(path: Path) -> tuple[Columns, pa.Schema, int]:
    """Of the file format, or the stream format, which Hugging Face's `datasets` writes."""
    import pyarrow as pa
    from pyarrow import ipc

    def opened(**options: Any) -> Any:
        source, chosen = pa.memory_map(str(path)), ipc.IpcReadOptions(**options)
        try:
            return ipc.open_file(source, options=chosen)
        except pa.ArrowInvalid:
            return ipc.open_stream(source, options=chosen)

    schema = opened().schema
    first = opened(included_fields=[0]).read_all() if len(schema) else pa.table({})
    return lambda name: opened(included_fields=[schema.get_field_index(name)]).read_all(), schema, first.num_rows


def _index_of(metadata: Mapping[bytes, bytes]) -> Collection[str]:
    """Columns that pandas wrote as the rows' index: they are no columns of the table."""
    try:
        said = parsed(metadata.get(b"pandas", b"{}"))["index_columns"]
        return [name for name in said if isinstance(name, str)]
    except (ValueError, KeyError, TypeError):
        return ()


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises DataError, or DependencyError without pyarrow, instead of what libraries raise."""
    try:
        yield
    except ImportError:
        raise DependencyError("Parquet needs pyarrow.", where=str(path), do="pip install pyarrow") from None
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not {error.encoding} text: byte {error.start}.", where=str(path), do="Save it as UTF-8."
        ) from None
    except Exception as error:  # pandas and pyarrow raise many unrelated exception types on damaged or hostile files
        raise DataError(f"cannot be read as a table: {first_line(error)}", where=str(path)) from error
