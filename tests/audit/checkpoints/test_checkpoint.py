import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints import checkpoint
from audit.checkpoints.inspect import inspect
from audit.data.dataset import Dataset
from audit.models.weight_files import digest_state
from audit.training.loop import predict
from audit.training.prepare import run
from probes.errors import CheckpointError, FingerprintError, OverwriteError
from tests.audit.conftest import EXAMPLES, small_experiment


class Exploit:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    experiment = small_experiment(source={"model": "small_networks:digits_cnn", "options": {"width": 4}, "training": {
        "data": {"kind": "digits", "classes": ["0", "1", "2"]},
        "split": {"members": 60, "held_out": 30},
        "train": {"epochs": 1},
    }})  # fmt: skip
    path = tmp_path_factory.mktemp("saved") / "model.pt"
    checkpoint.save(path, experiment, run(experiment, "test", None), EXAMPLES, None)
    return path


def test_round_trip_answers_the_same(saved: Path):
    loaded = checkpoint.load(saved)
    experiment = loaded.experiment(loaded.recipe.data.load(loaded.folder), trust_code=True)
    again = run(experiment, "test", None)
    network = experiment.begin(experiment.audited_row()).network
    network.load_state_dict(dict(loaded.state), strict=True)
    np.testing.assert_array_equal(predict(network, experiment.inputs), predict(again.network, experiment.inputs))
    assert loaded.trace is not None
    np.testing.assert_array_equal(loaded.trace.train_loss, again.trace.train_loss)
    assert len(loaded.trace.validation_loss) == 2
    assert loaded.environment["torch"] == torch.__version__.partition("+")[0] or loaded.environment["torch"]


def test_refuses_to_overwrite(saved: Path, experiment):
    before = saved.read_bytes()
    with pytest.raises(OverwriteError, match="exists already"):
        checkpoint.save(saved, experiment, run(experiment, "test", None), EXAMPLES, None)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_other_data_is_refused(saved: Path):
    loaded = checkpoint.load(saved)
    data = loaded.recipe.data.load(loaded.folder)
    swapped = Dataset(name="digits", inputs=data.inputs[::-1], labels=data.labels[::-1], classes=data.classes)
    with pytest.raises(FingerprintError, match="not the data this checkpoint was made with"):
        loaded.experiment(swapped, trust_code=True)


def test_split_beyond_the_data(saved: Path, tmp_path: Path):
    content = torch.load(saved, weights_only=True)
    content["split"]["member"][0] = 10**6
    torch.save(content, tmp_path / "t.pt")
    loaded = checkpoint.load(tmp_path / "t.pt")
    with pytest.raises(CheckpointError, match="member samples are not all among"):
        loaded.experiment(loaded.recipe.data.load(loaded.folder))


def test_code_that_a_checkpoint_names_needs_trust(saved: Path):
    loaded = checkpoint.load(saved)
    experiment = loaded.experiment(loaded.recipe.data.load(loaded.folder))
    with pytest.raises(CheckpointError, match="--trust-code"):
        experiment.begin(experiment.audited_row())


@pytest.mark.parametrize("protocol", ["torch", "bare pickle", "nested"])
def test_a_pickle_is_never_run(tmp_path: Path, protocol: str):
    path, trap = tmp_path / "evil.pt", tmp_path / "ran"
    if protocol == "torch":
        torch.save({"format": checkpoint.FORMAT, "state_dict": Exploit(trap)}, path)
    elif protocol == "nested":
        torch.save({"state_dict": {"weight": torch.zeros(2), "extra": [Exploit(trap)]}}, path)
    else:
        path.write_bytes(pickle.dumps(Exploit(trap)))
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not trap.exists()


def test_damaged_files_are_one_line(saved: Path, tmp_path: Path):
    whole = saved.read_bytes()
    damaged = {
        "empty": b"",
        "text": b"hello, I am no checkpoint",
        "truncated": whole[: len(whole) // 2],
        "flipped": whole[:200] + bytes(64) + whole[264:],
        "settings": b'name = "a recipe"\nseed = 0\n',
        "noise": np.random.default_rng(0).bytes(5000),
    }
    for name, content in damaged.items():
        path = tmp_path / f"{name}.pt"
        path.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(path)
        assert str(caught.value).startswith(str(path)), name
        assert "\n" not in str(caught.value), name
        assert "pickled" not in str(caught.value), name


def test_any_flipped_bit_is_refused_or_without_effect(saved: Path, tmp_path: Path):
    """In records, in the archive's headers and in its table of contents at the end."""
    whole, path = saved.read_bytes(), tmp_path / "flipped.pt"
    expected = digest_state(_flat(torch.load(saved, weights_only=True)))
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, len(whole), 60), *rng.integers(len(whole) - 3000, len(whole), 60)]
    accepted = 0
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        if _accepts(checkpoint.load, path) or _accepts(inspect, path):
            accepted += 1
            assert digest_state(_flat(torch.load(path, weights_only=True))) == expected
    assert accepted < 40  # padding, and dates of records


def _accepts(read: Callable[[Path], object], path: Path) -> bool:
    try:
        return getattr(read(path), "passed", True)
    except CheckpointError:
        return False


def _flat(content: object, name: str = "") -> dict[str, torch.Tensor]:
    """Every tensor and, as a tensor of bytes, everything else."""
    if isinstance(content, dict):
        return {key: value for part in content for key, value in _flat(content[part], f"{name}.{part}").items()}
    if isinstance(content, torch.Tensor):
        return {name: content}
    return {name: torch.tensor(list(repr(content).encode()), dtype=torch.uint8)}


def test_what_the_diagnosis_says(saved: Path, tmp_path: Path):
    empty, cut, missing = tmp_path / "e.pt", tmp_path / "c.pt", tmp_path / "none.pt"
    empty.touch()
    cut.write_bytes(saved.read_bytes()[:-100])
    for path, message in (
        (empty, "is empty"),
        (cut, "truncated"),
        (missing, "no such file"),
        (tmp_path, "no such file"),
    ):
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load(path)


def test_other_torch_files(tmp_path: Path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(CheckpointError, match="holds a Tensor"):
        checkpoint.load(tmp_path / "tensor.pt")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "bare.pt")
    with pytest.raises(CheckpointError, match="--recipe"):
        checkpoint.load(tmp_path / "bare.pt")
    torch.save({"format": checkpoint.FORMAT, "state_dict": {}}, tmp_path / "part.pt")
    with pytest.raises(CheckpointError, match="lacks a part"):
        checkpoint.load(tmp_path / "part.pt")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("readme", "no checkpoint")
    with pytest.raises(CheckpointError):
        checkpoint.load(tmp_path / "zip.pt")
