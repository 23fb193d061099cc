"""Files of strangers at every door: a line or a result, never a traceback, a hang, memory or a program that runs.

The long form (`make validate`) tries a hundred times as many.
"""

import json
import random
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints import checkpoint
from audit.checkpoints.inspect import inspect
from audit.config import audit_config
from audit.config import recipe as recipes
from audit.data.dataframe import dataset, frame_of
from audit.data.npz import Npz
from audit.results.history import find
from audit.results.read import load, read_with_cost
from audit.training.prepare import run
from probes.errors import AuditError
from reports import archive, per_sample
from reports.document.outline import outline
from reports.formats import junit
from tests.audit.conftest import EXAMPLES, small_experiment
from tests.audit.fuzzing import CONFIG, Door, Make, alarm, as_toml, broken
from tests.audit.mutation import changed, damaged
from tests.reports.sample import sample

RECIPE = (EXAMPLES / "digits.toml").read_text(encoding="utf-8")


def _results(folder: Path, rng: random.Random) -> Path:
    (folder / "results.json").write_text(json.dumps(changed(RESULTS, rng)), encoding="utf-8")
    (folder / "samples.csv").write_text(per_sample.to_csv(sample()), encoding="utf-8")
    return folder / "results.json"


def _beside(folder: Path, rng: random.Random) -> Path:
    (folder / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    (folder / "samples.csv").write_bytes(damaged(per_sample.to_csv(sample()).encode(), rng))
    cost = {"finished": "2026-01-01T00:00:00+00:00", "seconds": 3.5, "workers": 2}
    (folder / "run.json").write_text(json.dumps(changed(cost, rng)), encoding="utf-8")
    return folder / "results.json"


def _read_results(path: Path) -> None:
    report = read_with_cost(path)
    junit.render(report)
    outline(report, "zh")
    load(path)


def _read_beside(path: Path) -> None:
    find(path.parent)
    load(path)
    read_with_cost(path)


def _text(content: str, name: str) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        data = damaged(content.encode(), rng) if rng.random() < 0.5 else as_toml(changed(tomllib.loads(content), rng))
        (folder / name).write_bytes(data)
        return folder / name

    return make


def _npz(folder: Path, rng: random.Random) -> Path:
    images = np.arange(40 * 16, dtype=np.uint8).reshape(40, 4, 4)
    np.savez(folder / "d.npz", images=images, labels=np.arange(40) % 2)
    (folder / "d.npz").write_bytes(damaged((folder / "d.npz").read_bytes(), rng))
    return folder / "d.npz"


def _csv(folder: Path, rng: random.Random) -> Path:
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]},2020-01-{1 + i % 28:02},{'yn'[i % 2]}\n" for i in range(60))
    (folder / "d.csv").write_bytes(damaged(f"n,m,w,when,y\n{rows}".encode(), rng))
    return folder / "d.csv"


def _read_csv(path: Path) -> None:
    dataset(frame_of(path, None), path, target="y", drop=(), groups=None, times=None)


__all__ = ["alarm"]
RESULTS = json.loads(archive.dump(sample()))
DOORS: dict[str, Door] = {
    "results": (_results, _read_results, 120),
    "beside results": (_beside, _read_beside, 60),
    "recipe": (_text(RECIPE, "r.toml"), recipes.load, 150),
    "config": (_text(CONFIG, "a.toml"), lambda path: audit_config.load(path, path.parent).gate(), 150),
    "npz": (_npz, lambda path: Npz(path=path).load(path.parent), 150),
    "table": (_csv, _read_csv, 60),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict:
    experiment = small_experiment(canaries=4)
    path = tmp_path_factory.mktemp("fuzz") / "model.pt"
    checkpoint.save(path, experiment, run(experiment, "test", None), EXAMPLES)
    loaded: dict = torch.load(path, weights_only=True)
    return loaded


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", DOORS)
def test_no_door_breaks(tmp_path, name):
    make, door, times = DOORS[name]
    assert broken(door, make, tmp_path, range(times)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
def test_no_checkpoint_breaks_the_door(tmp_path, content):
    assert broken(_both, _checkpoint(content), tmp_path, range(80)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", [*DOORS, "checkpoint"])
def test_no_door_breaks_in_the_long_run(tmp_path, content, name):
    make, door, times = DOORS.get(name, (_checkpoint(content), _both, 80))
    assert broken(door, make, tmp_path, range(1000, 1000 + 100 * times)) == []


def _checkpoint(content: dict) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        path = folder / "m.pt"
        torch.save(changed(content, rng) if rng.random() < 0.7 else content, path)
        if rng.random() < 0.4:
            path.write_bytes(damaged(path.read_bytes(), rng))
        return path

    return make


def _both(path: Path) -> None:
    inspect(path)
    checkpoint.load(path)


class Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_no_program_in_a_checkpoint_runs(tmp_path, content):
    for place in ("state_dict", "recipe", "chosen"):
        torch.save(content | {place: {"a": Touch(tmp_path / "ran")}}, tmp_path / "m.pt")
        with pytest.raises(AuditError, match="can run code"):
            _both(tmp_path / "m.pt")
    assert not (tmp_path / "ran").exists()
