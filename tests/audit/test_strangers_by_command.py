"""What strangers give the command: networks that are none, weights under wrong names, values of wrong types. Each ends
in one line that is true."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from audit.checkpoints.foreign_weights import fit, stored_as
from audit.config import audit_config
from audit.config.recipe import parse
from audit.models.weight_files import read_state
from audit.storage.remote import Remote
from probes.errors import AuditError, CheckpointError, ConfigError, StoreError
from tests.audit.command import audit, refused
from tests.audit.conftest import small_recipe

NETS = """
import sys
import torch
from torch import nn

def mlp(num_classes=3):
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, num_classes))

def lazy(num_classes=3):
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, num_classes))

def meta(num_classes=3):
    with torch.device("meta"):
        return mlp(num_classes)

def empty(num_classes=3):
    return nn.Sequential(nn.Flatten(), nn.ReLU())

def ends(num_classes=3):
    sys.exit(0)

class Ends(nn.Sequential):
    def forward(self, rows):
        raise SystemExit(0)

def ends_later(num_classes=3):
    return Ends(*mlp(num_classes))

class Asserts(nn.Sequential):
    def forward(self, rows):
        assert rows.shape[1] == 7
        return super().forward(rows)

def asserts(num_classes=3):
    return Asserts(*mlp(num_classes))
"""
RECIPE = """
name = "n"
[data]
kind = "npz"
path = "d.npz"
modality = "{modality}"
[split]
members = 30
held_out = 30
[source]
model = "nets:{model}"
[train]
epochs = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 4)).astype(np.float32)
    np.savez(tmp_path / "d.npz", images=rows, labels=np.arange(80) % 3)
    (tmp_path / "nets.py").write_text(NETS, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("lazy", "is lazy and has no shape yet"),
        ("meta", "is on the meta device"),
        ("empty", "has no parameters"),
        ("ends", "the recipe's own code ended the program"),
        ("ends_later", "the recipe's own code ended the program"),
        ("asserts", "AssertionError. The recipe's own code raised it"),
        ("absent", "Did you mean 'asserts'"),
    ],
)
def test_a_network_that_is_none_is_the_users(folder, model, says):
    (folder / "r.toml").write_text(RECIPE.format(model=model, modality="table"), encoding="utf-8")
    assert says in refused(audit("finetune", "r.toml", "-q", cwd=folder))
    assert not (folder / "ckpt.pt").exists()


def test_data_of_torchvision_without_files_or_its_package_is_one_line(folder):
    for name, says in (("FakeData", "reads no files"), ("LSUN", "")):
        section = f'[data]\nkind = "torchvision"\ndataset = "{name}"\nroot = "."\n'
        text = RECIPE.format(model="mlp", modality="table")
        (folder / "r.toml").write_text(section + text[text.index("[split]") :], encoding="utf-8")
        assert says in refused(audit("finetune", "r.toml", "-q", cwd=folder))


STATE = {"0.weight": torch.ones(8, 4), "0.bias": torch.zeros(8)}


def test_weights_are_read_by_content_whatever_the_file_is_called(tmp_path):
    torch.save(STATE, tmp_path / "a.safetensors")
    (tmp_path / "b.pt").write_bytes(save(STATE))
    for name in ("a.safetensors", "b.pt"):
        assert set(read_state(tmp_path / name)) == set(STATE)


def header(content: object) -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.safetensors", struct.pack("<Q", 2**60) + b"{}", "not a valid safetensors file"),
        (
            "a.safetensors",
            header({"w": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 4]}}) + b"1234",
            "not a valid safetensors",
        ),
        ("a.pt", b"GGUF" + bytes(90), "GGUF"),
        ("a.pt", b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5"),
        ("a.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ("a.pt", b"<html>404</html>", "web page"),
    ],
)
def test_a_file_that_holds_no_weights_is_called_what_it_is(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        read_state(tmp_path / name)


@pytest.mark.parametrize("kind", [torch.int8, torch.bool])
def test_quantised_integers_are_not_taken_for_weights(kind):
    stored = {name: value.to(kind) for name, value in STATE.items()}
    with pytest.raises(CheckpointError, match="quantised weights mean nothing"):
        fit(stored, STATE, Path("w.pt"))


def test_weights_of_fewer_bits_are_told():
    assert stored_as(STATE, STATE) == []
    (said,) = stored_as({name: value.half() for name, value in STATE.items()}, STATE)
    assert said.values == {"types": ("float16",)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"epochs": True}, "not true or false"),
        ({"lr": float("inf")}, "finite"),
        ({"lr": "0.1"}, "without quotation marks"),
        ({"compile": "no"}, "true or false"),
        ({"epochs": 10**10}, "less than or equal"),
    ],
)
def test_a_value_of_another_type_is_not_converted(changes, says):
    with pytest.raises(AuditError, match=says):
        parse(small_recipe(train=changes), "recipe")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"repeats": True}, "not true or false"),
        ({"repeats": "4"}, "without quotation marks"),
        ({"repeats": 10**10}, "less than or equal"),
        ({"enabled": "no"}, "true or false"),
        ({"enabled": 1}, "true or false"),
    ],
)
def test_parameters_of_probes_have_types_and_bounds(parameters, says):
    with pytest.raises(ConfigError, match=says):
        audit_config.parse({"probes": {"membership": parameters}}, "audit.toml").probes()


def test_names_that_no_file_can_have_and_weights_without_a_recipe_are_one_line(tmp_path):
    (tmp_path / "m.pt").write_bytes(b"x")
    assert "name too long" in refused(audit("run", "-m", "m.pt", "-o", "x" * 300, cwd=tmp_path))
    assert "no such file or folder" in refused(audit("run", "-m", "x" * 300, cwd=tmp_path))
    torch.save(STATE, tmp_path / "w.pt")
    assert "with their recipe" in refused(audit("run", "-m", "w.pt", "--weights", "ema", cwd=tmp_path))


def test_a_store_that_connects_at_once_and_fails_is_one_line(monkeypatch):
    def fails(url: str) -> object:
        raise OSError("Name or service not known")

    monkeypatch.setattr("fsspec.core.url_to_fs", fails)
    with pytest.raises(StoreError, match="cannot be reached"):
        Remote("ftp://nowhere/replicas").holds("a")
