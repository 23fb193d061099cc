"""What a user writes is read once: what is checked is what is used, whatever happens to the file meanwhile."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from probes.probe import PROBES
from reports import archive
from tests.audit.command import audit
from tests.reports.sample import full

RECIPE = """
data = { kind = "digits", classes = ["0", "1"] }
split = { members = 20, held_out = 20 }
source = { model = "torchvision:squeezenet1_1" }
input = { channels = 3, size = 32 }
transfer = "features"
train = { epochs = 1 }
"""
CONFIG = "".join(f"[probes.{name}]\nenabled = false\n" for name in PROBES.names() if name != "overfitting")
opened: list[str] = []
listening = [False]


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if listening[0] and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        opened.append(Path(os.fsdecode(arguments[0])).name)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("read-once")
    (folder / "results.json").write_text(archive.dump(full()), encoding="utf-8")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "audit.toml").write_text(CONFIG)
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    np.savez(folder / "answers.npz", outputs=rng.normal(size=(60, 2)), labels=labels, members=np.arange(60) < 30)
    return folder


@pytest.fixture
def hearing() -> Iterator[Callable[[str], int]]:
    """How often a file of this name was opened. Hooks cannot be taken off again: one is set for all."""
    if not hasattr(sys, "_transfer_audit_hears"):
        sys.addaudithook(_hear)
        sys._transfer_audit_hears = True  # type: ignore[attr-defined]
    opened.clear()
    listening[0] = True
    yield opened.count
    listening[0] = False


PINNED = f"audit.toml@sha256:{hashlib.sha256(CONFIG.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (("gate", "results.json", "-c", "audit.toml"), "audit.toml"),
        (("gate", "results.json", "-c", PINNED), "audit.toml"),
        (("gate", "results.json"), "results.json"),
        (("init", "--check"), "audit.toml"),
        (("run", "--predictions", "answers.npz", "-c", PINNED, "-o", "report", "--quiet"), "audit.toml"),
        (("finetune", "recipe.toml", "-o", "ckpt.pt", "--quiet"), "recipe.toml"),
    ],
)
def test_a_file_that_a_user_wrote_is_opened_once(
    command: tuple[str, ...], file: str, place: Path, hearing: Callable[[str], int]
) -> None:
    done = audit(*command, cwd=place)
    assert done.returncode in (0, 1, 3), done.stderr
    assert hearing(file) == 1


def test_nothing_that_a_run_has_written_is_read_back(place: Path, hearing: Callable[[str], int]) -> None:
    done = audit("run", "--predictions", "answers.npz", "-o", "written", "--also", "junit", "--json", cwd=place)
    assert done.returncode in (0, 1, 3), done.stderr
    assert {path.name for path in (place / "written").iterdir()} >= {"report.html", "results.json", "junit.xml"}
    assert hearing("results.json") == hearing("report.html") == hearing("samples.csv") == 0
