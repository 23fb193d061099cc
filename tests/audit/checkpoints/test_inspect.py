import numpy as np
import pytest
import torch

from audit.checkpoints import checkpoint
from audit.checkpoints.inspect import inspect
from audit.training.prepare import run
from probes.errors import CheckpointError
from tests.audit.conftest import EXAMPLES, small_experiment
from tests.audit.trained import PRIVACY, SOURCE


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.pt"
    options = {"privacy": PRIVACY, "canaries": 20, "split": {"members": 120, "held_out": 60, "validation": 40}}
    experiment = small_experiment(source=SOURCE, **options)
    checkpoint.save(path, experiment, run(experiment, "t", None), EXAMPLES)
    return path


def tampered(saved, tmp_path, change) -> dict[str, bool]:
    content = torch.load(saved, weights_only=True)
    change(content)
    torch.save(content, tmp_path / "t.pt")
    return {check.name: check.passed for check in inspect(tmp_path / "t.pt").checks}


def test_a_sound_checkpoint(saved):
    found = inspect(saved)
    assert found.passed
    assert {check.name for check in found.checks} == {"weights", "finite", "source weights", "split", "privacy"}
    assert found.facts["members"] == "100"
    assert found.facts["validation"] == "40"
    assert found.facts["source"] == "trained here"
    assert found.facts["canaries"].startswith("20, ")
    assert "0.001)-DP by prv" in found.facts["privacy"]
    assert found.facts["epochs"] == "2, weights of epoch 2"


def test_what_was_changed_is_found(saved, tmp_path):
    def weight(content):
        content["state_dict"]["9.bias"][0] += 1e-3

    def source(content):
        content["source"]["state_dict"]["9.bias"][0] += 1e-3

    def split(content):
        content["split"]["held_out"][0] = content["split"]["member"][0]

    def claim(content):
        content["privacy"]["epsilon"] = 0.1

    def delta(content):
        content["privacy"]["delta"] = 1e-9

    def nan(content):
        content["state_dict"]["9.bias"][0] = np.nan

    for change, wrong in (
        (weight, {"weights"}),
        (source, {"source weights"}),
        (split, {"split"}),
        (claim, {"privacy"}),
        (delta, {"privacy"}),
        (nan, {"weights", "finite"}),
    ):
        assert {name for name, passed in tampered(saved, tmp_path, change).items() if not passed} == wrong


@pytest.mark.parametrize("part", ["data.pkl", "split", "weights"])
def test_a_flipped_bit_anywhere_is_found(saved, tmp_path, part):
    """torch silently reads past it: another sample would be a member, or another number a weight."""
    content = torch.load(saved, weights_only=True)
    tensors = {"split": content["split"]["member"], "weights": content["state_dict"]["7.weight"]}
    whole = bytearray(saved.read_bytes())
    sought = tensors[part].numpy().tobytes() if part in tensors else b"fingerprint"
    whole[whole.index(sought)] ^= 1
    (tmp_path / "flipped.pt").write_bytes(whole)
    for read in (inspect, checkpoint.load):
        with pytest.raises(
            CheckpointError, match=r"is damaged: \S+ does not match its checksum|lacks a part|truncated"
        ):
            read(tmp_path / "flipped.pt")


def test_a_bare_file(tmp_path):
    torch.save({"a": torch.ones(3)}, tmp_path / "bare.pt")
    found = inspect(tmp_path / "bare.pt")
    assert found.passed
    assert found.facts["weights"] == "3 numbers in 1 tensors"
    with pytest.raises(CheckpointError):
        inspect(tmp_path / "none.pt")
    whole = bytearray((tmp_path / "bare.pt").read_bytes())
    whole[whole.index(torch.ones(3).numpy().tobytes())] ^= 1
    (tmp_path / "flipped.pt").write_bytes(whole)
    assert [check.name for check in inspect(tmp_path / "flipped.pt").checks if not check.passed] == ["file"]


def test_other_sets_of_weights_in_a_file_are_named(tmp_path):
    state = {"fc.weight": torch.ones(2, 2)}
    torch.save({"model": state, "ema": {"shadow": dict(state)}, "epoch": 3}, tmp_path / "a.pt")
    assert inspect(tmp_path / "a.pt").facts["also holds"] == "ema.shadow (--weights KEY audits them)"
    torch.save({"model": state}, tmp_path / "a.pt")
    assert "also holds" not in inspect(tmp_path / "a.pt").facts
