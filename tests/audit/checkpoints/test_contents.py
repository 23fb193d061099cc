"""Checkpoints of strangers: every part is asked before it is used, and no file takes more memory than it holds."""

import copy
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints import checkpoint
from audit.checkpoints.foreign_weights import read_weights
from audit.checkpoints.inspect import inspect
from audit.config import recipe as recipes
from audit.data.arrays import read_arrays
from audit.training.prepare import run
from probes.errors import CheckpointError, DataError, InputError
from tests.audit.conftest import small_experiment

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> dict:
    experiment = small_experiment(canaries=4)
    path = tmp_path_factory.mktemp("contents") / "model.pt"
    checkpoint.save(path, experiment, run(experiment, "test", None), HERE)
    loaded = torch.load(path, weights_only=True)
    loaded["privacy"] = {"epsilon": 3.0, "delta": 1e-5, "accountant": "prv"}
    return loaded


def changed(content: dict, where: str, value: object) -> dict:
    whole = copy.deepcopy(content)
    part = whole
    *path, last = where.split(".")
    for name in path:
        part = part[name]
    part[last] = value
    return whole


LONG = torch.zeros(1).expand(10**9)

WRONG = [
    ("seed", "7"),
    ("seed", -1),
    ("seed", 10**30),
    ("epoch", 99),
    ("epoch", 0),
    ("epoch", 1.5),
    ("folder", 3),
    ("format", None),
    ("digest", "no"),
    ("state_dict", ["a"]),
    ("state_dict", {"a": "text"}),
    ("state_dict", {3: torch.zeros(2)}),
    ("state_dict", {"a": LONG}),
    ("state_dict", {"a": torch.empty(10**6, device="meta")}),
    ("recipe", "text"),
    ("recipe.name", 7),
    ("recipe.train", {"epochs": -1}),
    ("recipe.split", {"members": float("nan"), "held_out": 3}),
    ("data", None),
    ("data.classes", "abc"),
    ("data.classes", [1, 2]),
    ("data.fingerprint", 3),
    ("split", {}),
    ("split.member", [1, 2]),
    ("split.member", torch.tensor([0.5])),
    ("split.member", torch.tensor([-1])),
    ("split.member", torch.zeros(0, dtype=torch.int64)),
    ("split.member", torch.zeros(1, dtype=torch.int64).expand(10**9)),
    ("split.held_out", torch.zeros((2, 2), dtype=torch.int64)),
    ("source", []),
    ("source.classes", "ten"),
    ("source.classes", 10**12),
    ("source.state_dict", 3),
    ("trace", {"train_loss": torch.zeros(2)}),
    ("trace.train_loss", torch.zeros(1)),
    ("trace.train_loss", "0.5"),
    ("trace.train_loss", LONG),
    ("chosen", 5),
    (
        "chosen",
        {"because": {1: {2: {3: [[[[[]]]]]}}}}
        | {"deep": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    ),
    ("privacy", {"epsilon": "3"}),
    ("privacy.epsilon", -1.0),
    ("privacy.delta", 7.0),
    ("accounting", {"steps": 3}),
    ("canaries", {"samples": torch.zeros(2)}),
    ("canaries.labels", torch.tensor([0, 1, 2, 99])),
    ("canaries.included", torch.zeros(4)),
    ("environment", {"torch": 2}),
    ("environment", {"torch": "x" * 20_000}),
]


@pytest.mark.parametrize(("where", "value"), WRONG, ids=[f"{where}-{i}" for i, (where, _) in enumerate(WRONG)])
def test_a_wrong_part_is_refused_in_one_line(content, tmp_path, where, value):
    torch.save(changed(content, where, value), tmp_path / "m.pt")
    with pytest.raises(Exception) as caught:  # noqa: PT011, asked below
        checkpoint.load(tmp_path / "m.pt")
    assert type(caught.value).__module__ == "probes.errors", repr(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_part_too_few_or_too_many(content, tmp_path):
    for name in content:
        torch.save({key: value for key, value in content.items() if key != name}, tmp_path / "m.pt")
        with pytest.raises(CheckpointError):
            checkpoint.load(tmp_path / "m.pt")
    torch.save(content | {"more": 1}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="more"):
        checkpoint.load(tmp_path / "m.pt")


def test_no_path_of_this_machine_is_in_it_and_its_folder_moves_with_it(tmp_path):
    (tmp_path / "here" / "recipes").mkdir(parents=True)
    (tmp_path / "here" / "out").mkdir()
    experiment = small_experiment()
    path = tmp_path / "here" / "out" / "model.pt"
    checkpoint.save(path, experiment, run(experiment, "test", None), tmp_path / "here" / "recipes")
    assert torch.load(path, weights_only=True)["folder"] == "../recipes"
    (tmp_path / "here").rename(tmp_path / "there")
    assert checkpoint.load(tmp_path / "there" / "out" / "model.pt").folder == tmp_path / "there" / "recipes"


BOMBS = {
    "expanded": {"a": torch.zeros(1).expand(10**11)},
    "strided": {"a": torch.as_strided(torch.zeros(1), (10**5, 10**6), (0, 0))},
    "sparse": {
        "a": torch.sparse_coo_tensor(
            torch.zeros((2, 1), dtype=torch.int64), torch.ones(1), (10**6, 10**6), check_invariants=True
        )
    },
    "meta": {"a": torch.empty(10**12, device="meta")},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_tensors_that_declare_more_than_the_file_holds_are_refused(tmp_path, kind):
    path = tmp_path / "m.pt"
    torch.save(BOMBS[kind], path)
    for read in (inspect, lambda path: read_weights(path, trust_code=False)):
        with pytest.raises(CheckpointError):
            read(path)


def test_a_view_many_times_over_and_deflated_records_are_refused(tmp_path):
    path = tmp_path / "m.pt"
    one = torch.zeros(2**20)
    torch.save({f"w{i}": one.view(-1) for i in range(1000)}, path)
    with pytest.raises(CheckpointError, match="weights"):
        inspect(path)
    torch.save({"a": torch.zeros(2**26)}, tmp_path / "plain.pt")
    with zipfile.ZipFile(tmp_path / "plain.pt") as plain, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for record in plain.infolist():
            packed.writestr(record.filename, plain.read(record))
    assert path.stat().st_size < 2**19
    with pytest.raises(CheckpointError, match="would expand to 256"):
        inspect(path)


@pytest.mark.parametrize("name", ["/dev/zero", "fifo"])
def test_devices_and_pipes_are_refused(tmp_path, name):
    path = Path(name) if name.startswith("/") else tmp_path / "m.pt"
    if name == "fifo":
        os.mkfifo(path)
    for door in (inspect, checkpoint.load, recipes.load):
        with pytest.raises(InputError, match="is a device or a pipe, not a file"):
            door(path)


def test_an_archive_of_arrays_is_bounded_by_its_size(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", images=np.zeros(2**27, np.uint8))
    assert (tmp_path / "d.npz").stat().st_size < 2**18
    with pytest.raises(DataError, match="would expand to 128"):
        read_arrays(tmp_path / "d.npz")
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
        header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="declares"):
        read_arrays(tmp_path / "d.npz")
