"""Every kind of data source gives the same thing, and says in one line what is wrong with a file."""

import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from audit.data.dataset import Dataset
from probes.errors import CheckpointError, DataError, DependencyError
from tests.audit.data.loading import load


def table(root: Path, text: str, **options) -> Dataset:
    (root / "t.csv").write_text(text)
    return load(root, kind="table", path="t.csv", target="y", **options)


def test_npz_joins_parts_and_names_classes(tmp_path):
    images = np.arange(2 * 12, dtype=np.uint8).reshape(2, 2, 2, 3)
    np.savez(tmp_path / "d.npz", a=images, b=images[:1], la=[0, 1], lb=[1], classes=["cat", "dog"])
    data = load(tmp_path, kind="npz", path="d.npz", inputs=["a", "b"], labels=["la", "lb"])
    assert data.inputs.shape == (3, 2, 2, 3)
    assert data.labels.tolist() == [0, 1, 1]
    assert data.classes == ("cat", "dog")
    only = load(tmp_path, kind="npz", path="d.npz", inputs=["a", "b"], labels=["la", "lb"], classes=["dog"])
    assert only.labels.tolist() == [0, 0]
    assert only.fingerprint != data.fingerprint


def test_some_of_the_samples_are_always_the_same_and_in_proportion(tmp_path):
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    np.savez(tmp_path / "d.npz", a=np.arange(200, dtype=np.float32)[:, None] * np.ones(3, np.float32), l=labels)
    given = {"kind": "npz", "path": "d.npz", "inputs": ["a"], "labels": ["l"], "modality": "table"}
    some, again = (load(tmp_path, **given, take=50) for _ in range(2))
    assert some.fingerprint == again.fingerprint
    assert np.abs(np.bincount(some.labels) - [25, 15, 10]).max() <= 1
    assert (np.diff(some.inputs[:, 0]) > 0).all()
    assert (labels[some.inputs[:, 0].astype(int)] == some.labels).all()
    one = load(tmp_path, **given, classes=["2"], take=40)
    assert (one.inputs[:, 0] >= 160).all()
    with pytest.raises(DataError, match=r"has 40 samples, not 41\. Lower data\.take"):
        load(tmp_path, **given, classes=["2"], take=41)


def test_npz_with_a_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.array([{}, {}], dtype=object), labels=[0, 1])
    with pytest.raises(DataError, match="plain arrays"):
        load(tmp_path, kind="npz", path="d.npz")
    (tmp_path / "text.npz").write_text("no")
    with pytest.raises(DataError, match=r"text\.npz: cannot be read"):
        load(tmp_path, kind="npz", path="text.npz")
    with pytest.raises(DataError, match="no such file"):
        load(tmp_path, kind="npz", path="none.npz")
    np.savez(tmp_path / "e.npz", images=np.zeros((2, 1)), lables=[0, 1])
    with pytest.raises(DataError, match=r"no array 'labels'\. Did you mean 'lables'"):
        load(tmp_path, kind="npz", path="e.npz")


def test_npz_without_a_channel_axis(tmp_path):
    np.savez(tmp_path / "d.npz", images=np.zeros((3, 28, 20), np.uint8), labels=[0, 1, 1])
    assert load(tmp_path, kind="npz", path="d.npz").inputs.shape == (3, 28, 20, 1)
    np.savez(tmp_path / "d.npz", images=np.zeros((3, 28), np.float32), labels=[0, 1, 1])
    with pytest.raises(DataError, match=r"d: a sample has shape \(28,\), an image .* Set modality"):
        load(tmp_path, kind="npz", path="d.npz")
    assert load(tmp_path, kind="npz", path="d.npz", modality="table").inputs.shape == (3, 28)


def test_fingerprint_is_of_content_and_order():
    one = Dataset(name="a", inputs=np.eye(3), labels=np.array([0, 1, 0]), classes=("a", "b"))
    same = Dataset(name="b", inputs=np.eye(3), labels=np.array([0, 1, 0]), classes=("a", "b"))
    turned = Dataset(name="a", inputs=np.eye(3)[::-1], labels=np.array([0, 1, 0]), classes=("a", "b"))
    assert one.fingerprint == same.fingerprint != turned.fingerprint


def test_data_that_cannot_be_used():
    with pytest.raises(DataError, match="sample 1 holds NaN"):
        Dataset(name="x", inputs=np.array([[1.0], [np.nan]]), labels=np.array([0, 0]), classes=("a",))
    with pytest.raises(DataError, match="labels run from 0 to 2 but there are 2 classes"):
        Dataset(name="x", inputs=np.eye(3), labels=np.array([0, 1, 2]), classes=("a", "b"))


def test_table_of_numbers_and_words(tmp_path):
    data = table(tmp_path, "age,job,who,y\n30,a,p1,no\n40,b,p2,yes\n50,?,p1,no\n", groups="who")
    assert data.feature_names == ("age", "job=?", "job=a", "job=b")
    np.testing.assert_array_equal(
        data.inputs, np.array([[30, 0, 1, 0], [40, 0, 0, 1], [50, 1, 0, 0]], dtype=np.float32)
    )
    assert data.classes == ("no", "yes")
    assert data.labels.tolist() == [0, 1, 0]
    assert data.groups.tolist() == [0, 1, 0]
    assert data.group_names == ("p1", "p2")
    assert data.modality == "table"


def test_table_without_header_in_time_order_and_parquet(tmp_path):
    data = table(tmp_path, "1,2024-03-01,a\n2,2023-01-01,b\n3,2024-03-01,a\n", columns=["x", "when", "y"], times="when")
    assert data.times.tolist() == [1, 0, 1]
    pd.DataFrame({"x": [1, 2], "y": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path, kind="table", path="t.parquet", target="y").inputs.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("x,z\n1,2\n", {}, "has no column 'y'"),
        ("x,y\n1,a\n,b\n", {}, r"row 1 has no x\."),
        ("x,y\n1,a\n2,\n", {}, r"row 1 has no y\."),
        ("y\na\nb\n", {}, "no columns but the target"),
        ("x,y\n1,a\n", {"drop": ["xx"]}, r"no column 'xx'\. Did you mean 'x'|no column 'xx'"),
        ("", {}, "is empty"),
        ('x,y\n1,a\n"2,b,3,4\n', {}, "cannot be read as a table"),
        ("x,when,y\n1,soon,a\n2,2024-01-01,b\n", {"times": "when"}, "when holds neither numbers nor dates"),
    ],
)
def test_mistaken_tables(tmp_path, text, options, message):
    with pytest.raises(DataError, match=message) as caught:
        table(tmp_path, text, **options)
    assert "\n" not in str(caught.value)


def picture(path: Path, shape: tuple[int, ...], value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, dtype=np.uint8)).save(path)


def test_folder_of_images(tmp_path):
    picture(tmp_path / "f/dog/1.png", (6, 9, 3), 10)
    picture(tmp_path / "f/cat/1.png", (8, 8), 20)
    picture(tmp_path / "f/cat/2.png", (4, 4, 3), 30)
    (tmp_path / "f/cat/notes.txt").write_text("no image")
    data = load(tmp_path, kind="folder", path="f", size=4)
    assert data.inputs.shape == (3, 4, 4, 3)
    assert data.classes == ("cat", "dog")
    assert data.inputs[:, 0, 0, 0].tolist() == [20, 30, 10]
    with pytest.raises(DataError, match=r"cat/2\.png is 4 × 4, others are 8 × 8"):
        load(tmp_path, kind="folder", path="f", classes=["cat"]) and None
    (tmp_path / "f/dog/bad.jpg").write_bytes(b"not a jpeg")
    with pytest.raises(DataError, match=r"dog/bad\.jpg cannot be read"):
        load(tmp_path, kind="folder", path="f", size=4)
    with pytest.raises(DataError, match="no such folder"):
        load(tmp_path, kind="folder", path="none")


def test_factory_needs_trust_and_gives_a_dataset(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import numpy as np\nfrom audit.data.dataset import Dataset\n"
        "def make(n):\n"
        "    inputs, labels = np.zeros((n, 2)), np.arange(n) % 2\n"
        "    return Dataset(name='m', inputs=inputs, labels=labels, classes=('a', 'b'), modality='table')\n"
        "def wrong(): return 3\n"
        "def needy(): import no_such_package\n"
    )
    asked = {"kind": "factory", "function": "mine:make", "options": {"n": 4}}
    assert len(load(tmp_path, trust_code=True, **asked)) == 4
    with pytest.raises(CheckpointError, match="--trust-code"):
        load(tmp_path, **asked)
    with pytest.raises(DataError, match="refuses its options"):
        load(tmp_path, trust_code=True, kind="factory", function="mine:make", options={"m": 4})
    with pytest.raises(DataError, match="returned a int"):
        load(tmp_path, trust_code=True, kind="factory", function="mine:wrong")
    with pytest.raises(
        DependencyError, match="needs a package that is not installed: No module named 'no_such_package'"
    ):
        load(tmp_path, trust_code=True, kind="factory", function="mine:needy")


class Part:
    """What a `datasets.Dataset` is to us."""

    def __init__(self, labels: list[int]) -> None:
        self.features = {"image": None, "label": types.SimpleNamespace(names=["cat", "dog"])}
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key):
        if key == "label":
            return self.labels
        return {"image": Image.new("RGB", (4, 4), (key, 0, 0)), "label": self.labels[key]}


def test_hugging_face(tmp_path, monkeypatch):
    module = types.ModuleType("datasets")
    module.load_dataset = lambda name: {"train": Part([0, 1]), "test": Part([1])}
    monkeypatch.setattr("audit.storage.downloads.check_reachable", lambda address: None)
    monkeypatch.setitem(sys.modules, "datasets", module)
    with pytest.raises(DataError, match="nothing is downloaded"):
        load(tmp_path, kind="huggingface", name="pets")
    data = load(tmp_path, True, kind="huggingface", name="pets")
    assert data.labels.tolist() == [0, 1, 1]
    assert data.inputs[:, 0, 0, 0].tolist() == [0, 1, 0]
    assert data.classes == ("cat", "dog")
    with pytest.raises(DataError, match="no column 'picture'"):
        load(tmp_path, True, kind="huggingface", name="pets", image="picture")
    with pytest.raises(DataError, match="no part 'validation'"):
        load(tmp_path, True, kind="huggingface", name="pets", parts=["validation"])
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match="pip install datasets"):
        load(tmp_path, kind="huggingface", name="pets")


def test_hugging_face_from_a_folder_it_saved(tmp_path):
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})

    def part(count: int) -> datasets.Dataset:
        images = [Image.new("RGB", (5, 4), (number, 0, 0)) for number in range(count)]
        return datasets.Dataset.from_dict({"image": images, "label": [n % 2 for n in range(count)]}, features=features)

    datasets.DatasetDict(train=part(4), test=part(2)).save_to_disk(str(tmp_path / "divided"))
    part(3).save_to_disk(str(tmp_path / "whole"))
    data = load(tmp_path, kind="huggingface", name="divided")
    assert data.inputs.shape == (6, 4, 5, 3)
    assert data.inputs[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 0, 1]
    assert data.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert data.classes == ("cat", "dog")
    assert len(load(tmp_path, kind="huggingface", name="whole")) == 3
    with pytest.raises(DataError, match="has a int for its label, not an image"):
        load(tmp_path, kind="huggingface", name="whole", image="label")


def test_a_damaged_huggingface_folder_is_one_line(tmp_path):
    """An offset that leads outside an Arrow file ended the process; an image that is none gave a traceback."""
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = {"image": [{"bytes": b"no image at all", "path": None}] * 8, "label": [0, 1] * 4}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "set"))
    with pytest.raises(DataError, match="image 0 cannot be read"):
        load(tmp_path, kind="huggingface", name="set")
    (file,) = (tmp_path / "set").glob("*.arrow")
    offsets = np.arange(0, 15 * 9, 15, dtype=np.int32).tobytes()
    whole = file.read_bytes()
    assert offsets in whole
    file.write_bytes(whole.replace(offsets, offsets[:-8] + b"\xff\xff\xff\x7f" + offsets[-4:]))
    with pytest.raises(DataError, match="cannot be read as a data set"):
        load(tmp_path, kind="huggingface", name="set")
