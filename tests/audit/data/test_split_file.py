"""Which rows trained a model, as files have it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.data.split_file import rows_of
from probes.errors import DataError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.txt", "0\n2\n\n"),
        ("rows.csv", "2\n0"),
        ("mask.txt", "true\nFalse\nTRUE\nfalse"),
        ("rows.json", "[0, 2]"),
        ("mask.json", "[true, false, true, false]"),
        ("mask.csv", "1\n0\n1\n0"),
        ("ones.json", "[1, 0, 1, 0]"),
    ],
)
def test_rows_or_a_mask_a_line_or_a_list(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert rows_of(tmp_path / name, 4).tolist() == [True, False, True, False]


def test_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([1]))
    assert rows_of(tmp_path / "rows.npy", 2).tolist() == [False, True]


def test_sets_are_read_and_lists_of_lists_are_one_line() -> None:
    assert rows_of({0, 2}, 3).tolist() == [True, False, True]
    with pytest.raises(DataError, match="is not one list of row numbers"):
        rows_of([[1], [1, 2]], 3)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rows.txt", "row\n1", "line 1: 'row' is not a row number"),
        ("rows.txt", "4", "names row 4; there are 4, from 0"),
        ("rows.txt", "-1", "names row -1"),
        ("mask.txt", "true", "has 1 values of true or false for 4 rows"),
        ("rows.json", "{}", "is not a list of row numbers"),
        ("rows.json", "[", "is not JSON"),
        ("rows.json", "[" * 100_000, "is not JSON: it is nested too deeply"),
        ("rows.npy", "x", "is not an array"),
        ("rows.txt", "1\n3\n1", "names row 1 2 times"),
        ("rows.txt", "", "names no row"),
        ("rows.json", "[]", "names no row"),
        ("rows.json", "[0, true]", "is not a list of row numbers"),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        rows_of(tmp_path / name, 4)
