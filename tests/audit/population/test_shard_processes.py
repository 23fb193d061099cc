"""Two processes train shares into one store at once. SIGKILL ends one of them while it writes a replica, and its share
is started again: nothing is lost, and what is collected is what one machine alone has."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from audit.population.populate import Progress, populate, train_share
from audit.population.shard import Shard
from audit.runtime.forking import can_fork
from audit.storage.remote import Remote
from audit.storage.store import RECORD, Store
from audit.training.experiment import Experiment
from tests.audit.command import audit
from tests.audit.conftest import EXAMPLES
from tests.audit.population.killed_writer import die_at
from tests.audit.population.populations import rows_for, same
from tests.audit.small import RECIPE

KILLED_AT = 3
"""The entry of the killed share at which it ends."""


@pytest.mark.skipif(not can_fork("cpu"), reason="processes cannot be forked here")
@pytest.mark.parametrize("shared", [False, True], ids=["folder", "url"])
def test_a_killed_share_that_is_started_again_completes_the_population(
    experiment: Experiment, tmp_path: Path, shared: bool
) -> None:
    rows = rows_for(experiment)
    alone = populate(experiment, rows, store=Store(tmp_path / "alone"), workers=1)

    def machine(name: str) -> Store:
        return Store(tmp_path / name, Remote(f"file://{tmp_path}/shared")) if shared else Store(tmp_path / "shared")

    def process(number: int, *, dies: bool = False) -> BaseProcess:
        def train() -> None:
            if dies:
                die_at(KILLED_AT, shared=shared)
            train_share(experiment, rows, Shard(number, 2), store=machine(f"node {number}"), workers=1)

        made = multiprocessing.get_context("fork").Process(target=train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12, about other threads
            made.start()
        return made

    together = [process(1, dies=True), process(2)]
    for one in together:
        one.join()
    assert [one.exitcode for one in together] == [-signal.SIGKILL, 0]
    again = process(1)
    again.join()
    assert again.exitcode == 0
    heard: list[Progress] = []
    found = populate(experiment, rows, store=machine("collector"), workers=1, on_progress=heard.append)
    assert [one.cached for one in heard] == [len(rows)]
    assert same(found, alone)


CONFIG = """
[probes.membership]
repeats = 2
inside = false
[probes.overfitting]
repeats = 2
learning_curve = false
[probes.drift]
enabled = false
[probes.inheritance]
enabled = false
"""


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True], ids=["folder", "url"])
def test_the_command_collects_what_one_machine_would_have(tmp_path: Path, shared: bool) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "audit.toml").write_text(CONFIG, encoding="utf-8")
    assert audit("finetune", "recipe.toml", "-o", "ckpt.pt", cwd=tmp_path).returncode == 0
    store = f"file://{tmp_path}/shared" if shared else str(tmp_path / "shared")
    both = ["-m", "ckpt.pt", "--workers", "1"]

    def share(number: int, *, dies: bool = False) -> subprocess.Popen[bytes]:
        dying = f"from {die_at.__module__} import die_at; die_at({KILLED_AT}, shared={shared}); " if dies else ""
        command = [sys.executable, "-c", f"{dying}from audit.cli.app import main; main()", "population", *both]
        around = {"XDG_CACHE_HOME": str(tmp_path / f"node {number}"), "PYTHONPATH": str(EXAMPLES.parent)}
        given = ["--shard", f"{number}/2", "--store", store, "--quiet"]
        return subprocess.Popen([*command, *given], cwd=tmp_path, env=os.environ | around)

    together = [share(1, dies=True), share(2)]
    assert [one.wait() for one in together] == [-signal.SIGKILL, 0]
    assert share(1).wait() == 0
    collected = audit("run", *both, "--store", store, "-o", "collected", "--quiet", cwd=tmp_path)
    alone = audit("run", *both, "--store", "alone", "-o", "alone report", "--quiet", cwd=tmp_path)
    assert collected.returncode == alone.returncode, collected.stderr
    (record,) = tmp_path.glob(f"cache/**/{RECORD}" if shared else f"shared/{RECORD}")
    asked, found = record.read_text(encoding="utf-8").split()[-2:]
    assert asked == found
    assert (tmp_path / "collected/results.json").read_bytes() == (tmp_path / "alone report/results.json").read_bytes()
