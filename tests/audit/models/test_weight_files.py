"""Weights wherever training scripts put them, and what lies beside them."""

from __future__ import annotations

import argparse
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints.foreign_weights import beside
from audit.checkpoints.inspect import inspect
from audit.config.recipe import SourceSection
from audit.models.prefixes import under_names
from audit.models.source import averages_beside, pretrained
from audit.models.weight_files import read_state, read_untrusted
from audit.storage.folders import checkpoint_in
from probes.errors import CheckpointError
from probes.texts import texts

STATE = {"body.weight": torch.ones(2, 2), "head.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize(
    "content",
    [
        {"net": STATE},
        {"model_state": STATE, "epoch": torch.tensor(3)},
        {"generator": STATE, "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": []}, "args": {}},
        {"model": STATE, "model_ema": {"head.weight": torch.zeros(1)}},
        {"checkpoint": {"module": STATE, "step": 3}},
        {"run": {"states": {"trunk": STATE}}, "epoch": 3},
        {"model": STATE, "callbacks": {"Averaging": {"ema_state_dict": STATE}}},
        [STATE],
        (STATE, 3),
        {"models": [STATE], "epoch": 3},
        {"payload": ({"policy": STATE}, {"optimizer": {"state": {}}})},
    ],
)
def test_weights_are_found_wherever_a_training_script_put_them(tmp_path: Path, content: dict) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert set(read_state(tmp_path / "a.pt")) == set(STATE)


def test_the_models_of_an_ensemble_are_named_by_their_places(tmp_path: Path) -> None:
    torch.save({"folds": [STATE, STATE]}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"under 'folds\.0' and 'folds\.1'\..*--weights folds\.0"):
        read_state(tmp_path / "a.pt")
    assert set(read_state(tmp_path / "a.pt", key="folds.1")) == set(STATE)


@pytest.mark.parametrize("inserted", ["_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod."])
def test_names_within_the_wrappers_of_single_modules_are_the_networks_own(inserted: str) -> None:
    wrapped = {name.replace("body.", f"body.{inserted}"): value for name, value in STATE.items()}
    assert set(under_names(wrapped, set(STATE))) == set(STATE)
    assert set(under_names({f"{inserted}{name}": value for name, value in wrapped.items()}, set(STATE))) == set(STATE)
    assert set(under_names(wrapped, set(wrapped))) == set(wrapped), "of a network that is wrapped itself"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("m.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\n", "is a Git LFS pointer"),
        ("m.pt", b"\x1f\x8b\x08\x00", "is compressed by gzip"),
    ],
)
def test_what_a_file_is_instead_of_weights_is_said(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_state(tmp_path / name)


def test_arrays_of_numpy_come_with_the_command_that_converts_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{name: value.numpy() for name, value in STATE.items()})
    with pytest.raises(CheckpointError, match=r"holds arrays of NumPy\. Convert it: python -c"):
        read_state(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps({"epoch": 10**4000}, protocol=2),
        pickle.dumps({"w": 1}, protocol=2)[:-3] + b"P\xff\x8b",
        b"PK\x05\x06" * 9,
    ],
    ids=["a long number", "unknown operands", "another archive"],
)
@pytest.mark.parametrize("inside", [True, False], ids=["in an archive", "bare"])
def test_a_pickle_that_cannot_be_taken_apart_is_one_line(tmp_path: Path, pickled: bytes, inside: bool) -> None:
    path = tmp_path / "w.pt"
    path.write_bytes(pickled)
    if inside:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/version", "3")
    with pytest.raises(CheckpointError) as refused:
        read_untrusted(path)
    assert "\n" not in str(refused.value)


def test_an_empty_tensor_of_sizes_that_overflow_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [0, 2**62, 2**62], "data_offsets": [0, 0]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(CheckpointError, match="empty tensor of shape"):
        inspect(path)


def test_several_state_dicts_are_listed_and_pickled_arguments_named(tmp_path: Path) -> None:
    torch.save({"student": STATE, "other": STATE}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="'other' and 'student'"):
        read_state(tmp_path / "a.pt")
    torch.save({"model": STATE, "args": argparse.Namespace(lr=0.1)}, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match=r"pickled argparse\.Namespace.*without running code: python -c"):
        read_state(tmp_path / "b.pt")
    torch.save(torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]).state_dict(), tmp_path / "c.pt")
    with pytest.raises(CheckpointError, match="holds the state of an optimizer, and no weights"):
        read_state(tmp_path / "c.pt")


def test_one_state_dict_in_several_files_is_read_by_its_index(tmp_path: Path) -> None:
    names = {name: f"model-{number}.pt" for number, name in enumerate(STATE)}
    for name, file in names.items():
        torch.save({name: STATE[name]}, tmp_path / file)
    index = tmp_path / "model.bin.index.json"
    index.write_text(json.dumps({"weight_map": names}), encoding="utf-8")
    assert checkpoint_in(tmp_path) == index
    assert set(read_state(index)) == set(STATE)
    (tmp_path / "model-0.pt").unlink()
    with pytest.raises(CheckpointError, match=r"model-0\.pt: no such file\. Copy the whole folder"):
        read_state(index)
    index.write_text(json.dumps({"weight_map": {"body.weight": "../elsewhere.pt"}}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="not a file beside it"):
        read_state(index)


def test_averages_and_class_weights_among_the_weights_are_reported(tmp_path: Path) -> None:
    torch.save({"model": STATE, "model_ema": STATE}, tmp_path / "a.pt")
    found = beside(tmp_path / "a.pt", {**STATE, "criterion.weight": torch.ones(2)}, STATE)
    averages, loss = (texts("en").say(one) for one in found)
    assert "model_ema" in averages
    assert "criterion.weight" in loss


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (torch.nn.Linear(2, 2), "state_dict"),
        ({"weight": torch.ones(2).numpy()}, "as_tensor"),
        ({"run": {"net": STATE}, "args": argparse.Namespace(path=Path("data"))}, r"\['run'\]\['net'\]"),
        ({"model": STATE, "best": torch.ones(1).numpy()[0]}, "KEY OF THE WEIGHTS"),
    ],
)
def test_the_suggested_command_converts_the_file(tmp_path, monkeypatch, content, command):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=command) as refused:
        read_state(tmp_path / "a.pt")
    monkeypatch.chdir(tmp_path)
    told = str(refused.value).partition('python -c "')[2].removesuffix('"')
    try:
        exec(told.replace("KEY OF THE WEIGHTS", "model"), {})
    finally:
        torch.serialization.clear_safe_globals()
    assert set(read_state(tmp_path / "weights.pt")) in ({"weight", "bias"}, {"weight"}, set(STATE))


def test_source_weights_must_be_numbers_and_averages_are_reported(tmp_path):
    section = SourceSection(model="torchvision:resnet18", weights="a.pt")
    torch.save({"state_dict": STATE, "state_dict_ema": STATE}, tmp_path / "a.pt")
    (said,) = averages_beside(section, tmp_path)
    assert "a.pt also holds state_dict_ema: the raw weights" in texts("en").say(said)
    torch.save(STATE, tmp_path / "a.pt")
    assert averages_beside(section, tmp_path) == []
    assert set(pretrained(section, tmp_path) or {}) == set(STATE)
    torch.save(STATE | {"head.weight": torch.full((2, 2), torch.nan)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt: head\.weight contains NaN"):
        pretrained(section, tmp_path)
