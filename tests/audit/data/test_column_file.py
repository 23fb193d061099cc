"""Parquet and Arrow files are read column by column, to what the whole table would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.data import dataframe
from audit.data.dataset import Dataset
from audit.data.table import Table
from probes.errors import DataError

pa = pytest.importorskip("pyarrow")
ROWS = 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=ROWS),
            "account": 10**9 + np.arange(ROWS),
            "known": pd.array([None if k % 7 == 3 else k for k in range(ROWS)], dtype="Int64"),
            "ward": [("east", "west", "")[k % 3] for k in range(ROWS)],
            "kind": pd.Categorical([("a", "b")[k % 2] for k in range(ROWS)]),
            "when": pd.date_range("2020-01-01", periods=ROWS),
            "name": [f"patient {k}" for k in range(ROWS)],
            "yes": np.arange(ROWS) % 4 == 0,
            "y": [("sick", "well")[k % 5 == 0] for k in range(ROWS)],
            "who": np.arange(ROWS) // 2,
        },
        index=pd.Index(np.arange(ROWS) + 7, name="row"),
    )


def read(path: Path) -> Dataset:
    return Table(path=Path(path.name), target="y", groups="who", times="when", missing="median").load(path.parent)


def written(path: Path) -> Path:
    table = pa.Table.from_pandas(frame())
    if path.name == "t.parquet":
        frame().to_parquet(path, row_group_size=13)
    elif path.name == "packed.feather":
        from pyarrow import feather

        feather.write_feather(table, path, compression="lz4", chunksize=9)
    else:
        new = pa.ipc.new_stream if path.name == "stream.arrow" else pa.ipc.new_file
        with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=11)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "stream.arrow", "packed.feather"])
def test_columns_are_those_of_the_whole_table(name: str, tmp_path: Path) -> None:
    found = read(written(tmp_path / name))
    whole = dataframe.dataset(frame(), tmp_path / name, target="y", drop=(), groups="who", times="when", fill=True)
    assert found.feature_names == whole.feature_names
    assert np.array_equal(found.inputs, whole.inputs)
    assert found.notes == whole.notes
    for one, other in ((found.labels, whole.labels), (found.groups, whole.groups), (found.times, whole.times)):
        assert one is not None
        assert other is not None
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "stream.arrow", "packed.feather"])
def test_a_truncated_file_is_one_line(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="cannot be read as a table"):
        read(path)


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="has no column 'ys'"):
        Table(path=Path(path.name), target="ys").load(tmp_path)
