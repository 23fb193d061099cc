"""Images, labels and tables in the forms in which people have them: converted and said, or refused in one line."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import TypeAdapter

from audit.data.columns import features_of
from audit.data.dataframe import columns_of, dataset
from audit.data.dataset import Dataset
from audit.data.kinds import Data
from audit.data.labels import labels_of
from audit.data.split import SplitSection, split
from probes.errors import DataError
from probes.message import Message
from probes.texts import said

STRIPES = np.where(np.arange(16) // 2 % 2, 166, 64)[None, :].repeat(16, 0)


def load(root: Path, **content) -> Dataset:
    return TypeAdapter(Data).validate_python(content).load(root)


def folder(root: Path, draw, suffix: str = "png", n: int = 12) -> Dataset:
    """Two classes of images by `draw(shade)`, stripes of another direction each."""
    for name, wave in (("across", STRIPES), ("along", STRIPES.T)):
        (root / "f" / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            draw(wave + i).save(root / "f" / name / f"{i:02}.{suffix}")
    return load(root, kind="folder", path="f")


@pytest.mark.parametrize(
    ("draw", "suffix"),
    [
        (lambda wave: Image.fromarray((wave * 257).astype(np.uint16)), "png"),
        (lambda wave: Image.fromarray((wave * 16).astype(np.uint16)), "tif"),  # 12 bits, as CT scanners write them
        (lambda wave: Image.fromarray((wave / 255).astype(np.float32)), "tif"),
        (lambda wave: Image.fromarray(wave.astype(np.int32) - 1000), "tif"),
        (lambda wave: Image.fromarray(wave.astype(np.float32)), "tif"),
    ],
)
def test_deep_images_keep_their_stripes_and_it_is_said(tmp_path, draw, suffix):
    data = folder(tmp_path, draw, suffix)
    assert data.inputs.shape == (24, 16, 16, 1)
    assert len(np.unique(data.inputs[0])) == 2
    assert int(data.inputs[0].max()) - int(data.inputs[0].min()) > 90
    assert (np.diff(data.inputs[:12].mean(axis=(1, 2, 3))) > 0).all()
    assert len(data.notes) == 1
    assert "24" in said(data.notes[0])


def png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits per channel, which Pillow reads but does not write."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("channels", "top", "code"),
    [(3, 65_536, "deep"), (3, 4096, "deep"), (4, 65_536, "deep"), (2, 65_536, "high-bytes")],
)
def test_both_bytes_of_deep_colours_are_read(tmp_path, channels, top, code):
    pixels = np.random.default_rng(0).integers(0, top, (24, 4, 4, channels))
    pixels[..., 3:] = 65_535
    for number, one in enumerate(pixels):
        place = tmp_path / "f" / "ab"[number % 2] / f"{number:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(one))
    data = load(tmp_path, kind="folder", path="f")
    assert f"audit.data-{code}" in [note.code for note in data.notes if not isinstance(note, str)]
    if code == "deep":
        expected = np.concatenate([pixels[::2], pixels[1::2]])[..., :3] / (top - 1)
        np.testing.assert_allclose(data.inputs / 255, expected, atol=0.01)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\0\0\0\x18ftypheic" + bytes(99), "0.png is a HEIC image"),
        (b"<svg/>", "is an SVG drawing"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, .*git lfs pull"),
        (b"", "0.png is empty"),
    ],
)
def test_other_files_in_the_place_of_images_are_named(tmp_path, content, says):
    place = tmp_path / "f" / "a"
    place.mkdir(parents=True)
    (place / "0.png").write_bytes(content)
    with pytest.raises(DataError, match=says):
        load(tmp_path, kind="folder", path="f")


def test_what_is_drawn_in_alpha_alone_is_seen(tmp_path):
    def drawn(colour):
        def draw(wave):
            alpha = ((wave > 100) * 255).astype(np.uint8)
            alpha[0, : int(wave.min()) % 16] = 128
            return Image.fromarray(np.dstack([np.full((16, 16, 3), colour, np.uint8), alpha]), "RGBA")

        return draw

    for colour, ground in ((0, "white"), (255, "black")):
        data = folder(tmp_path / ground, drawn(colour))
        assert len(np.unique(data.inputs)) >= 2
        assert tuple(map(said, data.notes)) == (f"Images with transparency, composited on {ground}: 24.",)


def test_exif_rotations_are_applied(tmp_path):
    for name, wave in (("across", STRIPES), ("along", STRIPES.T)):
        (tmp_path / "f" / name).mkdir(parents=True)
        upright = Image.fromarray(wave.astype(np.uint8))
        upright.save(tmp_path / "f" / name / "a.png")
        exif = Image.Exif()
        exif[274] = 6
        upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "f" / name / "b.png", exif=exif)
    data = load(tmp_path, kind="folder", path="f")
    np.testing.assert_array_equal(data.inputs[0], data.inputs[1])
    assert tuple(map(said, data.notes)) == ("Images rotated according to their EXIF orientation: 2.",)


def test_hidden_strange_and_empty_are_left_out_and_said(tmp_path):
    folder(tmp_path, lambda wave: Image.fromarray(wave.astype(np.uint8)))
    inside = tmp_path / "f" / "across"
    for hidden in (inside / ".ipynb_checkpoints", inside / "deep" / "__MACOSX"):
        hidden.mkdir(parents=True)
        Image.new("L", (16, 16)).save(hidden / "copy.png")
    (inside / "._00.png").write_bytes(b"\0\5\x16\7")
    (inside / "Thumbs.db").write_bytes(b"\0")
    (tmp_path / "f" / "unsorted").mkdir()
    data = load(tmp_path, kind="folder", path="f")
    assert len(data) == 24
    assert data.classes == ("across", "along")
    assert [said(note).partition(",")[0] for note in data.notes] == [
        "Left out: hidden files (3",
        "Left out: files that are not images (1",
        "Left out: folders without images (1",
    ]
    with pytest.raises(DataError, match=r"no class 'acros'\. Did you mean 'across'"):
        load(tmp_path, kind="folder", path="f", classes=["acros", "along"])


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        (lambda wave: Image.fromarray(wave.astype(np.uint8)).convert("P"), (16, 16, 1)),
        (lambda wave: Image.fromarray(((wave > 100) * 255).astype(np.uint8)).convert("1"), (16, 16, 1)),
        (lambda wave: Image.fromarray(wave.astype(np.uint8)).convert("CMYK"), (16, 16, 3)),
    ],
)
def test_palettes_and_bits_of_grey_are_grey(tmp_path, draw, shape):
    data = folder(tmp_path, draw, "tif")
    assert data.inputs.shape[1:] == shape
    assert len(np.unique(data.inputs[0])) == 2


def test_gif_is_read_and_a_program_in_disguise_is_not(tmp_path):
    data = folder(tmp_path, lambda wave: Image.fromarray(wave.astype(np.uint8)), "gif")
    assert len(data) == 24
    (tmp_path / "f" / "along" / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(DataError, match=r"x\.png cannot be read: cannot identify"):
        load(tmp_path, kind="folder", path="f")


def test_images_that_are_all_alike_are_refused(tmp_path):
    with pytest.raises(DataError, match="24 of 24 samples are equal after reading"):
        folder(tmp_path, lambda wave: Image.new("L", (16, 16), 7))
    images = np.arange(40)[:, None, None, None] % 3 + np.zeros((40, 4, 4, 1), int)
    np.savez(tmp_path / "d.npz", images=images.astype(np.uint8), labels=np.arange(40) % 2)
    with pytest.raises(DataError, match="all pixels lie between 0 and 2 of 255"):
        load(tmp_path, kind="npz", path="d.npz")


Y = np.arange(60) % 3


@pytest.mark.parametrize(
    ("given", "names", "classes"),
    [
        (Y[:, None].astype(np.uint8), None, ("0", "1", "2")),
        (np.eye(3)[Y], None, ("0", "1", "2")),
        (np.eye(3, dtype=bool)[Y], ["a", "b", "c"], ("a", "b", "c")),
        (Y.astype(np.float32), None, ("0", "1", "2")),
        ((Y * 1000).astype(np.float16), None, ("0", "1000", "2000")),
        (Y + 1, None, ("1", "2", "3")),
        (Y + 1, ["a", "b", "c"], ("a", "b", "c")),
        (np.array([3, 70, 60_000_000])[Y], None, ("3", "70", "60000000")),
        (Y.astype(np.uint64) + np.uint64(2**63), None, tuple(str(2**63 + i) for i in range(3))),
        (np.array(["cat", "dog", "eel"])[Y], None, ("cat", "dog", "eel")),
        (np.array([b"a", b"b", b"c"])[Y], None, ("a", "b", "c")),
    ],
)
def test_labels_come_in_many_forms_and_mean_the_same(given, names, classes):
    found = labels_of(given, names, "d")
    assert found.numbers.tolist() == Y.tolist()
    assert found.classes == classes


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Y + 0.6, r"label 0\.6 of sample 0 is not a class number"),
        (Y * 1e18, r"label 1e\+18 of sample 1 is not a class number"),
        (np.array(["a", "b", " "])[Y], "sample 2 has no label"),
        (np.where(np.arange(60) == 5, np.nan, Y), "NaN or infinite: 1, the first of sample 5"),
        (np.where(np.arange(60) == 5, np.inf, Y), "NaN or infinite: 1"),
        (np.where(np.arange(60) == 7, -1, Y), "negative: 1, the first of sample 7"),
        (np.arange(60) * 1_000_000, "60 different values for 60 samples"),
        (np.array([f"name {i}" for i in range(60)]), "60 different values for 60 samples"),
        (np.full((60, 3), 1 / 3), r"shape 60 × 3 and are not one-hot"),
        (np.zeros((60, 2, 2)), "shape 60 × 2 × 2"),
        (Y.astype(complex), "labels are complex128"),
        (np.zeros(0), "no samples"),
    ],
)
def test_labels_that_are_not_classes_are_refused(given, says):
    with pytest.raises(DataError, match=says):
        labels_of(given, None, "d")


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "uint16", "bool", "first"])
def test_images_of_any_type_are_on_the_scale_of_images(tmp_path, kind):
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 9), dtype=np.uint8)
    given = {
        "uint16": x.astype(np.uint16) * 257,
        "bool": x > 100,
        "first": np.repeat(x[:, None], 3, 1),
    }.get(kind, x.astype(kind if kind != "first" else np.uint8))
    np.savez(tmp_path / "d.npz", images=given, labels=Y)
    data = load(tmp_path, kind="npz", path="d.npz")
    top = 1 if data.inputs.dtype == np.float32 else 255
    assert data.inputs.dtype in (np.uint8, np.float32)
    assert data.inputs.max() == top
    assert data.inputs.shape[1:3] == (8, 9)
    assert len(data.notes) == 1


def test_images_that_are_ready_for_a_network_stay(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 8, 8, 3)).astype(np.float32)
    for given in (x, (x - x.min()) / np.ptp(x)):
        np.savez(tmp_path / "d.npz", images=given, labels=Y)
        data = load(tmp_path, kind="npz", path="d.npz")
        np.testing.assert_array_equal(data.inputs, given)
        assert data.notes == ()


@pytest.mark.parametrize(
    ("top", "kind", "highest"),
    [(16, np.uint8, 255), (16, np.float64, 1), (10.5, np.float64, 1), (1.004, np.float32, 1.004)],
)
def test_few_levels_are_spread_and_pixels_just_above_one_stay(tmp_path, top, kind, highest):
    x = np.random.default_rng(0).random((60, 8, 8, 1))
    np.savez(tmp_path / "d.npz", images=(x / x.max() * top).astype(kind), labels=Y)
    data = load(tmp_path, kind="npz", path="d.npz")
    assert data.inputs.max() == pytest.approx(highest)
    assert len(data.notes) == (top > 2)


def table(root: Path, frame: dict, **more) -> Dataset:
    pd.DataFrame(frame).to_csv(root / "t.csv", index=False)
    return load(root, kind="table", path="t.csv", target="y", **more)


N = 240
LABEL = {"y": np.array(["no", "yes"])[np.arange(N) % 2]}


@pytest.mark.parametrize("nothing", ["NA", "?", "n/a", "nan", "-"])
def test_numbers_with_gaps_stay_numbers(tmp_path, nothing):
    ages = np.array([str(20 + i / 4) for i in range(N)], dtype=object)
    ages[[7, 9]] = nothing
    with pytest.raises(DataError, match=r"row 7 has no age\. The cell contains .* 2 rows lack it\. .*data\.missing"):
        table(tmp_path, {"age": ages, **LABEL})
    filled = table(tmp_path, {"age": ages, **LABEL}, missing="median")
    assert filled.feature_names == ("age",)
    assert filled.inputs[7, 0] == pytest.approx(np.median([20 + i / 4 for i in range(N) if i not in (7, 9)]))
    assert tuple(map(said, filled.notes)) == ("Missing values of age, filled with the column's median: 2.",)


def test_thousands_and_dates_are_numbers_and_identifiers_are_none(tmp_path):
    data = table(
        tmp_path,
        {
            "income": [f"{1000 + 13 * i:,}" for i in range(N)],
            "joined": pd.date_range("2020-01-01", periods=N).astype(str),
            "id": [f"C-{i:06}" for i in range(N)],
            "job": np.array(["a", "b", "?"])[np.arange(N) % 3],
            **LABEL,
        },
    )
    assert data.feature_names == ("income", "joined", "job=?", "job=a", "job=b")
    assert data.inputs[:2, 0].tolist() == [1000, 1013]
    assert np.diff(data.inputs[:, 1]).tolist() == [1] * (N - 1)
    assert len(data.notes) == 3


def test_answers_among_numbers_stay_words(tmp_path):
    pieces = np.array(["0", "1", "2", "3+"])[np.arange(N) % 4]
    assert table(tmp_path, {"pieces": pieces, **LABEL}).feature_names == tuple(
        f"pieces={piece}" for piece in ("0", "1", "2", "3+")
    )


LONG = 12_345_678_901_234_560


@pytest.mark.parametrize("written", ["csv", "parquet", "plain parquet"])
@pytest.mark.parametrize("digits", [16, 17])
def test_long_account_numbers_with_gaps_keep_their_digits(tmp_path, written, digits):
    """Read as floats, which know gaps, neighbours would become one."""
    first = LONG // 10 ** (17 - digits) + (0 if digits == 17 else 8 * 10**15)
    accounts = [None if row % 9 == 4 else first + row for row in range(N)]
    frame = pd.DataFrame({"account": pd.array(accounts, dtype="Int64"), "x": np.linspace(0, 1, N) ** 2, **LABEL})
    path = tmp_path / f"t.{written.split()[-1]}"
    if written == "csv":
        frame.to_csv(path, index=False)
    elif written == "parquet":
        frame.to_parquet(path)
    else:
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({name: pa.array(frame[name].tolist(), from_pandas=True) for name in frame}), path)
    target = next(iter(LABEL))
    told = dataset(columns_of(path, None, (target,)), path, target=target, drop=(), groups=None, times=None, fill=True)
    assert told.feature_names == ("x",)
    assert [one.code for one in told.notes if isinstance(one, Message)] == ["audit.data-identifier"]
    as_ids = columns_of(path, None, (target, "account"))
    named = dataset(as_ids, path, target=target, drop=(), groups=None, times=None, ids="account").ids
    assert named == tuple("" if one is None else str(one) for one in accounts)


def test_account_numbers_differ_in_float32_and_what_does_not_fit_is_refused(tmp_path):
    accounts = 4_000_000_000 + np.arange(N)
    data = table(tmp_path, {"account": accounts, **LABEL})
    assert len(np.unique(data.inputs[:, 0])) == N
    assert tuple(map(said, data.notes)) == (
        "account varies by less than 32-bit floats resolve; 4000000000 was subtracted.",
    )
    with pytest.raises(DataError, match=r"row 3 of x is 1e\+39, beyond the range of 32-bit floats"):
        table(tmp_path, {"x": np.where(np.arange(N) == 3, 1e39, 1.0), **LABEL})
    np.savez(tmp_path / "d.npz", images=np.full((60, 2), 1e39), labels=Y)
    with pytest.raises(DataError, match="beyond the range of 32-bit floats"):
        load(tmp_path, kind="npz", path="d.npz", modality="table")


def test_a_column_of_thousands_of_words_is_refused_before_it_takes_memory():
    frame = pd.DataFrame({"street": [f"street {i % 20_000}" for i in range(60_000)]})
    with pytest.raises(DataError, match="street has 20000 different values"):
        features_of(frame, "t.csv", fill=False)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (np.arange(N) / 7, "is not a class number"),
        (["0", "1", "NA"] * (N // 3), "row 2 has no y"),
        (np.arange(N), "240 different values for 240 samples"),
    ],
)
def test_targets_that_are_not_classes_are_refused(tmp_path, target, says):
    with pytest.raises(DataError, match=says):
        table(tmp_path, {"x": np.arange(N), "y": target})


def test_every_note_has_its_chinese(tmp_path):
    notes = [
        *labels_of(Y + 4, None, "d").notes,
        *labels_of(Y[:, None], None, "d").notes,
        *labels_of(np.eye(3)[Y], None, "d").notes,
        *labels_of(Y + 1, list("abc"), "d").notes,
        *table(tmp_path, {"when": pd.date_range("2020-01-01", periods=N).astype(str), **LABEL}).notes,
    ]
    assert len(notes) == 5
    for note in notes:
        assert re.search("[一-鿿]", said(note, "zh")), note


def test_folders_of_parts_are_parts_and_no_classes(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("val", 2), ("test", 4)):
        for name in ("bus", "car"):
            place = tmp_path / "data" / part / name
            place.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(place / f"{index}.png")
    dataset = load(tmp_path, kind="folder", path="data")
    pool = split(dataset, SplitSection(parts=True), np.random.default_rng(0))
    assert dataset.classes == ("bus", "car")
    assert (pool.member.sum(), pool.validation.sum(), pool.held_out.sum()) == (12, 4, 8)
    with pytest.raises(DataError, match="is not divided into parts"):
        split(load(tmp_path, kind="digits"), SplitSection(parts=True), np.random.default_rng(0))


def test_texts_are_read_from_what_tables_they_come_in(tmp_path):
    frame = pd.DataFrame({"text": ["win now", "tea at home", "call"], "label": ["spam", "ham", "spam"]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "a.parquet")
    read = [load(tmp_path, kind="text", path=f"a.{kind}") for kind in ("csv", "jsonl", "parquet")]
    assert {one.fingerprint for one in read} == {read[0].fingerprint}
    assert read[0].texts == ("win now", "tea at home", "call")
    assert (read[0].classes, read[0].modality) == (("ham", "spam"), "text")
    named = load(tmp_path, kind="text", path="a.csv", names=("spam", "ham"))
    assert named.labels.tolist() == [0, 1, 0]
    with pytest.raises(DataError, match=r"no column 'body'"):
        load(tmp_path, kind="text", path="a.csv", text="body")
