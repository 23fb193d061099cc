"""Parquet and Arrow files are read column by column, to what the whole table would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit.data import dataframe
from audit.data.column_file import ColumnFile
from audit.data.dataset import Dataset
from audit.data.table import Table
from audit.data.text import Text
from audit.evidence import predictions
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the columns that are read."""
    names: list[str] = []
    read_one = ColumnFile.__getitem__

    def noted(file: ColumnFile, name: str) -> pd.Series[Any]:
        names.append(name)
        return read_one(file, name)

    monkeypatch.setattr(ColumnFile, "__getitem__", noted)
    return names


@pytest.mark.parametrize("name", ["t.parquet", "stream.arrow"])
def test_of_texts_the_used_columns_are_read(name: str, tmp_path: Path, asked: list[str]) -> None:
    found = Text(path=Path(written(tmp_path / name).name), text="name", label="y", ids="who").load(tmp_path)
    assert found.texts[:2] == ("patient 0", "patient 1")
    assert found.ids[:3] == ("0", "0", "1")
    assert set(asked) == {"name", "y", "who"}


def test_predictions_are_read_one_column_at_a_time(tmp_path: Path, asked: list[str]) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": rng.integers(0, 2, 50), "member": np.arange(50) % 2, "notes": "no"})
    outputs = rng.normal(size=(3, 50, 2))
    for prefix, one in zip(("", "shadow_0_", "shadow_1_"), outputs, strict=True):
        table[[f"{prefix}logit_0", f"{prefix}logit_1"]] = one
    table[["shadow_0_member", "shadow_1_member"]] = rng.integers(0, 2, (50, 2))
    path = tmp_path / "p.parquet"
    table.drop(columns="notes").to_parquet(path)
    found = predictions.read(path)
    assert np.array_equal(np.asarray(found.outputs), outputs[0])
    assert np.array_equal(np.asarray(found.shadow_outputs), outputs[1:])
    assert len(asked) == len(set(asked)) + 1  # the mask of members is looked at once more
    table.drop(columns=["notes", "shadow_1_logit_1"]).to_parquet(path)
    with pytest.raises(DataError, match="models have 1 and 2 columns of outputs"):
        predictions.read(path)


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="has no column 'ys'"):
        Table(path=Path(path.name), target="ys").load(tmp_path)
