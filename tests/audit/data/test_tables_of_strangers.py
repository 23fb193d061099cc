"""Tables as programs and people write them: read as intended with a note, or refused in one line."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from audit.config.recipe import parse
from audit.data.dataset import Dataset
from audit.data.table import Table
from audit.data.text import Text
from probes.errors import AuditError, DataError
from tests.audit.conftest import small_recipe

X = np.round(np.random.default_rng(0).normal(size=40), 3)
Y = (X > 0).astype(int)
ROWS = [f"{x},{y}" for x, y in zip(X, Y, strict=True)]
PLAIN = "\n".join(["x,y", *ROWS])


def read(folder: Path, content: str | bytes, name: str = "t.csv", **options: object) -> Dataset:
    whole = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(whole)
    return Table.model_validate({"path": name, "target": "y"} | options).load(folder)


def columns(*given: list[object] | np.ndarray, names: str, separator: str = ",") -> str:
    lines = [separator.join(map(str, row)) for row in zip(*given, strict=True)]
    return "\n".join([names, *lines])


def said(dataset: Dataset) -> list[str]:
    return [note.code for note in dataset.notes if not isinstance(note, str)]


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "|"),
        PLAIN.replace(",", ";").replace(".", ","),
        PLAIN.encode("utf-16"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("x,y", " x , y "),
        "\n".join(["x,y", *(f"{row}," for row in ROWS)]),
        PLAIN.replace("-", "−"),
        columns([f'"{x}"'.replace(".", ",") for x in X], Y, names="x,y"),
        columns([f'"{x} $"' for x in X], Y, names="x,y"),
        columns([f"({-x})" if x < 0 else x for x in X], Y, names="x,y"),
    ],
)
def test_the_same_numbers_are_read_however_they_are_written(tmp_path, content):
    found = read(tmp_path, content)
    np.testing.assert_allclose(found.inputs[:, 0], X, rtol=1e-6)
    assert found.inputs.shape == (40, 1)
    assert found.labels.tolist() == Y.tolist()
    assert found.feature_names == ("x",)


@pytest.mark.parametrize(
    ("cells", "values", "code"),
    [
        ([f"{k}%" for k in range(40)], np.arange(40), "audit.data-signs"),
        ([f'"€1.{k:03},50"' for k in range(100, 140)], 1100.5 + np.arange(40), "audit.data-decimal-commas"),
        ([f'"1,{k:03}"' for k in range(40)], 1000 + np.arange(40), "audit.data-numbers"),
        ([f"1 {k:03}" for k in range(40)], 1000 + np.arange(40), None),
        ([f"{k // 2:02}:{30 * (k % 2):02}" for k in range(40)], np.arange(40) / 2, "audit.data-times"),
    ],
)
def test_signs_separators_and_times_of_day_are_read_as_numbers_and_reported(tmp_path, cells, values, code):
    found = read(tmp_path, columns(X, cells, Y, names="x,z,y"))
    np.testing.assert_allclose(found.inputs[:, 1], values, rtol=1e-6)
    assert found.feature_names == ("x", "z")
    assert said(found)[-1:] == ([] if code is None else [code])


def test_constant_columns_are_left_out_and_many_categories_are_reported(tmp_path):
    numbered = read(tmp_path, columns(list(range(40)), X, Y, names=",x,y"))
    assert (numbered.feature_names, said(numbered)) == (("x",), ["audit.data-row-numbers"])
    empty = read(tmp_path, columns(X, [""] * 40, Y, names="x,e,y"))
    assert (empty.feature_names, said(empty)) == (("x",), ["audit.data-empty-column"])
    dates = [f"{1 + k % 25:02}/03/2020" for k in range(60)]
    words = read(tmp_path, columns([*X, *X[:20]], dates, [*Y, *Y[:20]], names="x,d,y"))
    assert said(words) == ["audit.data-categories"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (PLAIN.replace("x,y", "x,größe,y").encode("latin-1"), "is not utf-8 text"),
        (columns(X, X, Y, names="x,x,y"), "two columns named 'x'"),
        (b"PK\x03\x04" + b"\x00" * 50, "an archive or a spreadsheet"),
        (b"\x1f\x8b" + b"\x00" * 50, "is compressed"),
        (PLAIN.encode() + b"\n1\x00,1", "zero bytes"),
        (f"{PLAIN}\n{PLAIN}", "row 40 repeats the header"),
        (columns(X, [1] * 40, Y, names="x,y"), "more cells than the first line"),
        (f"# made by a program\n{PLAIN}", "more cells than the first line"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [PLAIN, columns(X, [1] * 40, Y, [0] * 40, names="")[1:]])
def test_names_of_columns_are_as_many_as_the_columns(tmp_path, content):
    with pytest.raises(DataError, match=r"columns in its first line, but data.columns names 3"):
        read(tmp_path, content, columns=("x", "z", "y"))


def test_a_file_without_a_header_is_separated_as_its_names_say(tmp_path):
    lines = [f"{('ham', 'spam')[k % 2]}\thello{',' * (k % 5)} {k}" for k in range(30)]
    (tmp_path / "sms.txt").write_text("\n".join(lines), encoding="utf-8")
    found = Text(path=Path("sms.txt"), columns=("label", "text")).load(tmp_path)
    assert found.classes == ("ham", "spam")
    assert found.texts[3] == "hello,,, 3"


def stored(folder: Path, **given: object) -> Dataset:
    parquet.write_table(pa.table({"x": X, "y": Y} | given), folder / "t.parquet")
    return Table(path=Path("t.parquet"), target="y").load(folder)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (pa.array([[1, 2]] * 40), "several values in z"),
        (pa.array([{"a": 1}] * 40), "several values in z"),
        (pa.array([[("k", 1)]] * 40, type=pa.map_(pa.string(), pa.int64())), "several values in z"),
        (pa.array([b"\xff\x00"] * 40), "bytes in z"),
    ],
)
def test_parquet_cells_with_several_values_are_refused(tmp_path, cells, says):
    with pytest.raises(DataError, match=says):
        stored(tmp_path, z=cells)
    with pytest.raises(DataError, match=says.replace("in z", "in y")):
        stored(tmp_path, y=cells)


def test_types_of_parquet_are_numbers(tmp_path):
    ago = [datetime.datetime(1500, 1, 1 + k % 9) for k in range(40)]
    found = stored(
        tmp_path,
        d=pa.array([decimal.Decimal(k) / 2 for k in range(40)]),
        t=pa.array([datetime.time(k % 24, 30) for k in range(40)]),
        h=pa.array(X.astype(np.float16)),
        n=pa.nulls(40),
    )
    assert found.feature_names == ("x", "d", "t", "h")
    np.testing.assert_allclose(found.inputs[:, 1], np.arange(40) / 2)
    np.testing.assert_allclose(found.inputs[:, 2], np.arange(40) % 24 + 0.5)
    assert set(said(found)) == {"audit.data-times", "audit.data-empty-column"}
    assert "audit.data-dates" not in said(stored(tmp_path, t=pa.array(ago)))  # too early for it, so they stay words


def test_columns_of_parquet_without_text_names_are_found(tmp_path):
    import pandas as pd

    pd.DataFrame(np.c_[X, Y]).to_parquet(tmp_path / "t.parquet")
    assert Table(path=Path("t.parquet"), target="1").load(tmp_path).feature_names == ("0",)


def test_times_with_and_without_zones_have_an_order(tmp_path):
    when = [f"2020-01-{1 + k % 20:02}T00:00:00{'+01:00' if k % 2 else ''}" for k in range(40)]
    found = read(tmp_path, columns(X, when, Y, names="x,t,y"), times="t")
    assert found.times is not None
    assert int(found.times.max()) == 19


def test_margins_are_two_classes_and_nearly_equal_names_are_reported(tmp_path):
    margins = read(tmp_path, columns(X, np.where(Y, 1, -1), names="x,y"))
    assert (margins.classes, margins.labels.tolist()) == (("-1", "1"), Y.tolist())
    names = read(tmp_path, columns(X, [("yes", "Yes ", "no")[k % 3] for k in range(40)], names="x,y"))
    assert said(names) == ["audit.data-alike-names"]


AS_TEXT = "audit.data-labels-as-text"


@pytest.mark.parametrize(
    ("written", "classes", "codes"),
    [
        (["007", "7"], ("007", "7"), ["audit.data-alike-names", AS_TEXT]),
        (["01001", "02139", "10001"], ("01001", "02139", "10001"), [AS_TEXT]),
        (["10", "9"], ("9", "10"), []),
        (["1.0", "2.0", "10.0"], ("1", "2", "10"), []),
        (["1.0", "1"], ("1", "1.0"), ["audit.data-alike-names", AS_TEXT]),
        (["1E2", "100", "2E1"], ("2E1", "100", "1E2"), [AS_TEXT]),
        (['"1,000"', '"200"'], ("200", "1,000"), [AS_TEXT]),
        (["50%", "100%"], ("50%", "100%"), [AS_TEXT]),
        (["12345678901234567891", "12345678901234567892"], ("12345678901234567891", "12345678901234567892"), [AS_TEXT]),
        (["TRUE", "false"], ("TRUE", "false"), []),
        (["None", "NA", "Other"], ("NA", "None", "Other"), []),
        (["caf\u00e9", "cafe\u0301", "bar"], ("bar", "cafe\u0301", "caf\u00e9"), ["audit.data-alike-names"]),
        (["1", " 2", "3 "], ("1", "2", "3"), []),
    ],
)
@pytest.mark.parametrize("kind", ["table", "text"])
def test_labels_stay_as_they_are_written_if_reading_a_number_would_change_one(tmp_path, written, classes, codes, kind):
    rows = [written[k % len(written)] for k in range(40)]
    content = columns(X, rows, names="x,y")
    if kind == "text":
        (tmp_path / "t.csv").write_text(content, encoding="utf-8")
        found = Text(path=Path("t.csv"), text="x", label="y").load(tmp_path)
    else:
        found = read(tmp_path, content)
    assert found.classes == classes
    plain = [row.strip(' "') for row in rows]
    assert [found.classes[k] for k in found.labels] == [
        row if row in classes else row.removesuffix(".0") for row in plain
    ]
    assert said(found) == codes


def test_a_number_and_a_text_that_are_written_alike_are_not_one_class(tmp_path):
    rows = [f'{{"text": "a {k}", "label": {"7" if k % 2 else chr(34) + "7" + chr(34)}}}' for k in range(40)]
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    with pytest.raises(DataError, match="'7' and 7 are written alike"):
        Text(path=Path("t.jsonl")).load(tmp_path)


def test_a_marker_of_a_missing_number_is_no_class_among_numbers(tmp_path):
    with pytest.raises(DataError, match=r"row 3 has no y.*'NA'"):
        read(tmp_path, columns(X, ["NA" if k == 3 else k % 2 for k in range(40)], names="x,y"))


def test_names_and_groups_of_samples_stay_as_they_are_written(tmp_path):
    codes = [f"{k:03}" for k in range(40)]
    patients = [("007", "7", "7.0")[k % 3] for k in range(40)]
    found = read(tmp_path, columns(X, codes, patients, Y, names="x,i,g,y"), ids="i", groups="g")
    assert found.ids == tuple(codes)
    assert found.group_names == ("007", "7", "7.0")


@pytest.mark.parametrize("classes", [[], ["1", "1"]])
def test_classes_are_chosen_once_each(classes):
    with pytest.raises(AuditError, match="classes"):
        parse(small_recipe(data={"kind": "digits", "classes": classes}), "recipe")


@pytest.mark.parametrize("size", [0, -3, 1_000_000])
def test_a_side_of_pictures_has_bounds_before_memory_is_taken(size):
    with pytest.raises(AuditError, match="size"):
        parse(small_recipe(data={"kind": "folder", "path": "f", "size": size}), "recipe")


@pytest.mark.parametrize(
    "section",
    [
        {"kind": "folder", "path": "x" * 300},
        {"kind": "text", "path": "x" * 300},
        {"kind": "torchvision", "dataset": "MNIST", "root": ".", "parts": []},
        {"kind": "huggingface", "name": "x" * 300},
    ],
)
def test_sections_that_name_nothing_are_one_line(tmp_path, section):
    pytest.importorskip("datasets" if section["kind"] == "huggingface" else "torchvision")
    with pytest.raises(AuditError):
        parse(small_recipe(data=section), "recipe").data.load(tmp_path)
