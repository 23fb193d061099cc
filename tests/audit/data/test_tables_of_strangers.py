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
WIDE = {ord(plain): wide for plain, wide in zip("0123456789.-", "０１２３４５６７８９．－", strict=True)}
START = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273)
"""Days of 2021 before each month."""


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
        PLAIN.encode("utf-32"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("x,y", " x , y "),
        "\n".join(["x,y", *(f"{row}," for row in ROWS)]),
        PLAIN.replace("-", "−"),
        columns([f'"{x}"'.replace(".", ",") for x in X], Y, names="x,y"),
        columns([f'"{x} $"' for x in X], Y, names="x,y"),
        columns([f"({-x})" if x < 0 else x for x in X], Y, names="x,y"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n"),
        "sep=;\n" + PLAIN.replace(",", ";").replace(".", ","),
        b"\xef\xbb\xbf" + f'"sep=,"\n{PLAIN}'.encode(),
        f"sep=^\n{PLAIN}".replace(",", "^").encode("utf-16"),
        f"{PLAIN}\n,\n,\n",
        columns([f'"{x}\n"' for x in X], Y, names='"x\n",y'),
        columns([f"{x} kg" for x in X], Y, names="x,y"),
        columns([f'"{x} km/h"'.replace(".", ",") for x in X], Y, names="x,y"),
        columns([f"EUR {x}" for x in X], Y, names="x,y"),
        columns([f"US$ {x}" for x in X], Y, names="x,y"),
        columns([f'"R$ {x}"'.replace(".", ",") for x in X], Y, names="x,y"),
        columns([f"₩{x}" for x in X], Y, names="x,y"),
        columns([f"{x}‰" for x in X], Y, names="x,y"),
        columns([f"{-x}-" if x < 0 else x for x in X], Y, names="x,y"),
        columns([f"{1000 * x:.0f}D-03" for x in X], Y, names="x,y"),
        columns([f'"{10 * x:.2f}E-01"'.replace(".", ",") for x in X], Y, names="x,y"),
        columns([f"{10 * x:.2f}×10^-1" for x in X], Y, names="x,y"),
        columns([f'"=""{x}"""' for x in X], Y, names="x,y"),
        columns([f"'{x}" for x in X], Y, names="x,y"),
        columns([f"\u200b{x}\ufeff" for x in X], Y, names="x,y"),
        columns([f"{x}元" for x in X], Y, names="x,y"),
        columns([str(x).translate(WIDE) for x in X], Y, names="x,y"),
        columns([39, *range(39)], X, Y, names=",x,y"),
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
        ([f"{k} %" for k in range(40)], np.arange(40), "audit.data-signs"),
        ([f"€ {k}" for k in range(40)], np.arange(40), "audit.data-signs"),
        ([f'"1,23,{k:03}"' for k in range(40)], 123_000 + np.arange(40), "audit.data-numbers"),
        ([f"{k}.-" for k in range(40)], np.arange(40), None),
        ([f"{k} days 06:00:00" for k in range(40)], np.arange(40) + 0.25, "audit.data-durations"),
        ([f'"{k - 9} days, 18:00:00"' for k in range(40)], np.arange(-9, 31) + 0.75, "audit.data-durations"),
        ([f"{6 * k}:30" for k in range(40)], np.arange(40) / 4 + 1 / 48, "audit.data-durations"),
        ([f"{6 * k}h 30m" if k else "30m" for k in range(40)], np.arange(40) / 4 + 1 / 48, "audit.data-durations"),
        ([f"PT{6 * k}H" for k in range(40)], np.arange(40) / 4, "audit.data-durations"),
        ([20_240_001 + k for k in range(40)], np.arange(40), "audit.data-subtracted"),
        ([f"{k}e-50" for k in range(40)], np.zeros(40), "audit.data-merged"),
        ([f"2021-{k % 10 + 1:02}" for k in range(40)], [18628 + START[k % 10] for k in range(40)], "audit.data-dates"),
        (
            [f"2021-Q{k % 4 + 1}" for k in range(40)],
            [18628 + START[3 * (k % 4)] for k in range(40)],
            "audit.data-dates",
        ),
        (["9999-12-31", *["1500-01-01"] * 39], [2932896, *[-171664] * 39], "audit.data-dates"),
        (["2021-01-01 06:00 UTC", *["2021-01-02 06:00 GMT"] * 39], [18628.25, *[18629.25] * 39], "audit.data-dates"),
        ([f"{k} kg" for k in range(40)], np.arange(40), "audit.data-unit"),
        ([f"{k} years" if k != 1 else "1 year" for k in range(40)], np.arange(40), "audit.data-unit"),
        (["1st", "2nd", "3rd", *(f"{k}th" for k in range(4, 41))], np.arange(1, 41), "audit.data-unit"),
        (
            ["0", *(f"{k}K" for k in range(1, 20)), *(f"{k}M" for k in range(20))],
            [0, *1e3 * np.arange(1, 20), *1e6 * np.arange(20)],
            "audit.data-multiples",
        ),
        ([f'"{k},000+"' for k in range(1, 41)], 1000 * np.arange(1, 41), "audit.data-unit"),
        ([f'"1.{k:03}.000,5"' for k in range(40)], 1e6 + 1000.0 * np.arange(40) + 0.5, "audit.data-decimal-commas"),
        (['"1.250"', *(f'"{k},5"' for k in range(39))], [1250, *np.arange(39) + 0.5], "audit.data-decimal-commas"),
        ([f"1.{k:03}.000" for k in range(40)], 1e6 + 1000.0 * np.arange(40), "audit.data-points"),
        (
            [f"{k // 4 + 1}/{k % 4 + 20}/2021" for k in range(40)],
            [18647 + k % 4 + START[k // 4] for k in range(40)],
            "audit.data-dates-month-first",
        ),
        (
            [f"{k % 4 + 20:02}.{k // 4 + 1:02}.2021" for k in range(40)],
            [18647 + k % 4 + START[k // 4] for k in range(40)],
            "audit.data-dates-day-first",
        ),
        (
            [f"{k % 4 + 1}.{k // 4 + 1}.21 06:00" for k in range(40)],
            [18628.25 + k % 4 + START[k // 4] for k in range(40)],
            "audit.data-dates-day-first",
        ),
        ([f"{k % 28 + 1}-Feb-2021" for k in range(40)], [18659 + k % 28 for k in range(40)], "audit.data-dates"),
        (
            [f'"Feb {k % 28 + 1}, 2021 6:00 PM"' for k in range(40)],
            [18659.75 + k % 28 for k in range(40)],
            "audit.data-dates",
        ),
        ([f"2021年2月{k % 28 + 1}日" for k in range(40)], [18659 + k % 28 for k in range(40)], "audit.data-dates"),
        ([f"2021/2/{k % 28 + 1}" for k in range(40)], [18659 + k % 28 for k in range(40)], "audit.data-dates"),
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
    accounts = read(tmp_path, columns(X, [10**30 + k for k in range(40)], Y, names="x,e,y"))
    assert (accounts.feature_names, said(accounts)) == (("x",), ["audit.data-identifier"])
    towns = [f"town {k % 25}" for k in range(60)]
    words = read(tmp_path, columns([*X, *X[:20]], towns, [*Y, *Y[:20]], names="x,d,y"))
    assert said(words) == ["audit.data-categories"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (PLAIN.replace("x,y", "x,größe,y").encode("latin-1"), "is not utf-8 text"),
        (columns(X, X, Y, names="x,x,y"), "two columns named 'x'"),
        (b"PK\x03\x04" + b"\x00" * 50, "an archive or a spreadsheet"),
        (b"\x1f\x8b" + b"\x00" * 50, "is compressed"),
        (PLAIN.encode() + b"\n1\x00,1", "zero bytes"),
        ("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer. Get"),
        ("<!DOCTYPE html>", "is a web page. Download"),
        (b"PAR1", "is a Parquet file. Call it .parquet."),
        (columns(X, ["a", "b"] * 20, X, Y, names="x,z,z=a,y"), "two features named 'z=a'"),
        (columns(X, ["2021-01-02 03:04 CET"] * 40, Y, names="x,z,y"), "cannot be read, such as '2021-01-02 03:04 CET'"),
        (columns(X, ['" "', "a"] * 20, names="x,y"), "row 0 has no y"),
        (f"{PLAIN}\n{PLAIN}", "row 40 repeats the header"),
        (columns(X, [1] * 40, Y, names="x,y"), "more cells than the first line"),
        (f"# made by a program\n{PLAIN}", "more cells than the first line"),
        (f"Patients 2021,\nby,us\n{PLAIN}", "no column 'y' in its first line, but in row 1"),
        (f"Patients 2021,\n{PLAIN}", "row 0 continues the header"),
        (f"{PLAIN}\nTotal,{Y.sum()}", "its last row holds totals"),
        (PLAIN.replace("x,y", "x,y\nkg,class"), "row 0 continues the header .'kg', 'class'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)


MIXED = {
    "mixes units: '0 g' and '1 kg'": [f"{k} {('g', 'kg')[k % 2]}" for k in range(40)],
    "mixes units": [f"{('USD', 'EUR')[k % 2]} {k}" for k in range(40)],
    "with and without %": [f"{k + 1}{('', '%')[k % 2]}" for k in range(40)],
    "mixes currencies": [f"{'$€'[k % 2]}{k}" for k in range(40)],
    r"mixes currencies: 'A.2' and 'US.1'": [f"{('US', 'A')[k % 2]}${k + 1}" for k in range(40)],
    "with and without %: '1%' and '2‰'": [f"{k + 1}{'%‰'[k % 2]}" for k in range(40)],
    "mixes numbers and words: 10 of 40 cells": [str(k) if k % 4 else "never" for k in range(40)],
    "the day and which the month": [f"{k % 12 + 1}/{k // 12 + 1}/2021" for k in range(40)],
    "the day first .* the month first": [f"{k + 5}/{28 - k}/2021" for k in range(20)] * 2,
    "row 9 has no z. The cell contains 'soon'": ["21/03/2021 10:00"] * 9 + ["soon"] + ["22/03/2021"] * 30,
    "row 9 has no z. The cell contains '31/02/2021'": ["21/03/2021"] * 9 + ["31/02/2021"] + ["22/03/2021"] * 30,
}


@pytest.mark.parametrize("says", MIXED)
def test_a_column_with_two_readings_is_one_line_that_names_both(tmp_path, says):
    content = columns(X, MIXED[says], Y, names="x,z,y")
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)
    assert "z" not in read(tmp_path, content, drop=("z",)).feature_names


def test_codes_of_numbers_are_categories_where_asked(tmp_path):
    codes = [("250", "V57", "401")[k % 3] for k in range(40)]
    found = read(tmp_path, columns(X, codes, Y, names="x,z,y"), categories=("z",))
    assert found.feature_names == ("x", "z=250", "z=401", "z=V57")
    numbers = read(tmp_path, columns(X, [k % 2 for k in range(40)], Y, names="x,z,y"), categories=("z",))
    assert numbers.feature_names == ("x", "z=0", "z=1")
    with pytest.raises(DataError, match="has no column 'w'"):
        read(tmp_path, PLAIN, categories=("w",))


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["Yes", "No"], ("z=No", "z=Yes")),
        (["TRUE", "FALSE"], ("z",)),
        (["5a", "5b"], ("z=5a", "z=5b")),
        (["1001-01", "1001-02"], ("z=1001-01", "z=1001-02")),
        (["10:30 pm", "9 am"], ("z=10:30 pm", "z=9 am")),
        (["3 doors", "5 doors"], ("z",)),
    ],
)
def test_words_stay_words(tmp_path, cells, names):
    found = read(tmp_path, columns(X, cells * 20, Y, names="x,z,y"))
    assert tuple(name for name in found.feature_names if name != "x") == names


@pytest.mark.parametrize(
    ("cells", "ranks"),
    [
        ([f"{1 + k % 20}/{1 + k // 20}/2021" for k in range(40)], range(40)),
        ([f"{k // 4:02}:{k % 4}0" for k in range(40)], range(40)),
        ([f'"1,{k:03}"' for k in range(40)], range(40)),
    ],
)
def test_the_order_of_samples_is_read_however_times_are_written(tmp_path, cells, ranks):
    found = read(tmp_path, columns(X, cells, Y, names="x,when,y"), times="when")
    assert found.times is not None
    assert found.times.tolist() == list(ranks)
    with pytest.raises(DataError, match="when holds neither numbers nor dates: 'soon'"):
        read(tmp_path, columns(X, ["soon"] * 40, Y, names="x,when,y"), times="when")


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
    old = stored(tmp_path, t=pa.array(ago))
    assert (said(old), old.inputs[:2, 1].tolist()) == (["audit.data-dates"], [-171664, -171663])


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
        (["12345678901234567891", "12345678901234567892"], ("12345678901234567891", "12345678901234567892"), []),
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
    patients = [("007", "08", "p 1")[k % 3] for k in range(40)]
    found = read(tmp_path, columns(X, codes, patients, Y, names="x,i,g,y"), ids="i", groups="g")
    assert found.ids == tuple(codes)
    assert found.group_names == ("007", "08", "p 1")


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


@pytest.mark.parametrize("zero", "０٠۰०০๐")
def test_digits_of_other_scripts_are_numbers(tmp_path, zero):
    digits = {ord("0") + digit: chr(ord(zero) + digit) for digit in range(10)}
    found = read(tmp_path, columns([str(i).translate(digits) for i in range(40)], Y, names="x,y"))
    np.testing.assert_array_equal(found.inputs[:, 0], np.arange(40))


def test_lines_end_as_old_machines_end_them(tmp_path):
    found = read(tmp_path, PLAIN.replace("\n", "\r").encode())
    np.testing.assert_allclose(found.inputs[:, 0], X, rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("# exported\n# by hand\nx,z,y\n1,2,u\n3,4,v\n", "line 3 has 3 cells, the lines above 1"),
        ("", "is empty"),
    ],
)
def test_what_stands_above_a_header_and_nothing_at_all_are_one_line(tmp_path, content, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, content)


def test_whole_numbers_beyond_64_bit_floats_stay_apart_and_it_is_reported(tmp_path):
    large = np.arange(40, dtype=np.uint64) + np.uint64(2**63)
    found = stored(tmp_path, large=large, negative=np.arange(40) - 2**62)
    np.testing.assert_array_equal(found.inputs[:, 1:], np.arange(40)[:, None].repeat(2, 1))
    assert said(found).count("audit.data-subtracted") == 2
