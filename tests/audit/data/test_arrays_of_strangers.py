"""Arrays, labels and members as programs pass them: read as they mean, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from audit.checkpoints.in_memory import dataset_of, with_classes
from audit.data.handed_over import Handed, handed
from audit.data.npz import Npz
from probes.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
LABEL = np.arange(40) % 3


def given(features: object = X, labels: object = LABEL, members: object = range(20), **more: object) -> Handed:
    return handed({"features": features, "labels": labels, "members": members} | more)


@pytest.mark.parametrize(
    "labels",
    [
        LABEL[:, None],
        np.eye(3)[LABEL],
        LABEL.astype(np.float32),
        LABEL.astype(object),
        torch.tensor(LABEL).bfloat16(),
        torch.tensor(LABEL).float().requires_grad_(),
        pd.DataFrame({"y": LABEL}),
        pd.Series(pd.Categorical(LABEL)),
        LABEL.tolist(),
    ],
)
def test_class_numbers_are_read_in_every_form(labels):
    for dataset in (given(labels=labels).dataset, dataset_of((X, labels), None)):
        assert dataset.labels.tolist() == LABEL.tolist()
        assert dataset.classes == ("0", "1", "2")


def test_class_numbers_stay_the_columns_of_the_output():
    numbers = np.array([[1, 2, 10][one] for one in LABEL], dtype=object)
    assert given(labels=numbers).dataset.labels.tolist() == numbers.tolist()
    gaps = dataset_of((X, LABEL * 5), None)
    assert with_classes(gaps, 12).labels.tolist() == (LABEL * 5).tolist()
    from_one = with_classes(dataset_of((X, LABEL + 1), None), 3)
    assert (from_one.labels.tolist(), from_one.classes) == (LABEL.tolist(), ("1", "2", "3"))
    assert [note.code for note in from_one.notes if not isinstance(note, str)] == ["audit.data-numbered"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": pd.Series([None, *"ab" * 19, "a"], dtype="string")}, "sample 0 has no label"),
        ({"labels": np.array([None, *"ab" * 19, "a"], dtype=object)}, "sample 0 has no label"),
        ({"labels": np.where(LABEL == 2, np.nan, LABEL)}, "labels are NaN"),
        ({"labels": LABEL - 1}, "labels are negative"),
        ({"labels": LABEL * 30_000_000}, "60000000 is not a class number"),
        ({"labels": X[:, 0]}, "is not a class number"),
        ({"labels": [[1], [1, 2]] * 20}, "cannot be read as an array"),
        ({"labels": None}, "shape"),
        ({"features": [[1.0], [1.0, 2.0]] * 20}, "cannot be read as an array"),
        ({"features": torch.empty(40, 5, device="meta")}, "cannot be read as an array"),
        ({"features": np.ma.masked_greater(X, 1)}, "masked values"),
        ({"features": pd.DataFrame(X, columns=list("aabcd"))}, "two columns of one name"),
        ({"groups": LABEL[:-1]}, r"groups have shape \(39,\) for 40 samples"),
        ({"texts": 5}, "texts have shape"),
        ({"members": [1, 1, 2]}, "more than once"),
        ({"members": slice(0, 20)}, "slice"),
        ({"members": [-1]}, "neither indices nor a mask"),
        ({"classes": ("a", "a", "b")}, "two classes named 'a'"),
    ],
)
def test_what_cannot_be_meant_is_one_line(changes, says):
    with pytest.raises(DataError, match=says):
        given(**changes)


@pytest.mark.parametrize(
    "features",
    [
        torch.tensor(X).bfloat16(),
        torch.tensor(X).half(),
        torch.tensor(X).to_sparse(),
        X.astype(object),
        X.tolist(),
    ],
)
def test_features_are_read_in_every_form(features):
    np.testing.assert_allclose(given(features=features).dataset.inputs, X, rtol=1e-2)


@pytest.mark.parametrize(
    "members", [(np.arange(40) < 20).astype(int), set(range(20)), np.arange(20.0), [k < 20 for k in range(40)]]
)
def test_members_are_indices_or_a_mask(members):
    assert given(members=members).pool.member.tolist() == [k < 20 for k in range(40)]


def npz(folder: Path, modality: str = "image", **arrays: object) -> Npz:
    images = RNG.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "a.npz", **({"images": images, "labels": LABEL} | arrays))
    named = {"groups": "groups"} if "groups" in arrays else {}
    return Npz.model_validate({"path": "a.npz", "modality": modality} | named)


@pytest.mark.parametrize(
    ("arrays", "modality", "says"),
    [
        ({"labels": np.array([b"\xe4", b"\xf6"])[LABEL % 2]}, "image", "not UTF-8"),
        ({"classes": np.array(["a", "a", "b"])}, "image", "two classes named 'a'"),
        ({"classes": np.array(["", "b", "c"])}, "image", "class without a name"),
        ({"groups": LABEL[:-2]}, "image", "38 groups for 40 samples"),
        ({"images": np.zeros((40, 0))}, "table", "a row has shape .0,."),
        ({"images": RNG.random((40, 5))}, "text", "is not a token id"),
        ({"images": RNG.integers(-5, 5, (40, 5))}, "text", "is not a token id"),
        ({"images": np.where(np.arange(40)[:, None, None] == 3, 1e30, RNG.random((40, 8, 8)))}, "image", "differ by"),
    ],
)
def test_archives_that_cannot_be_meant_are_refused(tmp_path, arrays, modality, says):
    with pytest.raises(DataError, match=says):
        npz(tmp_path, modality, **arrays).load(tmp_path)


def test_names_that_were_stored_as_bytes_are_text(tmp_path):
    assert npz(tmp_path, classes=np.array([b"a", b"b", b"c"])).load(tmp_path).classes == ("a", "b", "c")
