"""Processes beside the command: begun at once or while the first task is trained, sent no copy of the inputs."""

from __future__ import annotations

import errno
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import joblib
import numpy as np
import pytest

from audit.engines.base import Outcome
from audit.engines.full import Full
from audit.engines.materialised import Materialised
from audit.population.executors import local, workers
from audit.population.executors.local import execute
from audit.population.populate import populate, rows_of
from audit.population.tasks import Job, Task
from audit.runtime.forking import can_fork
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.errors import StoreError
from probes.plan import Plan, Row, Splits
from tests.audit.population.populations import same


class Slow(Full):
    """Takes a second, and leaves the number of its process beside the inputs."""

    name: ClassVar[str] = "slow"

    def train(self, materialised: Materialised, rows: Sequence[Row]) -> Iterator[Outcome]:
        (materialised.stored.file.parent / f"process-{os.getpid()}").touch()
        time.sleep(1)
        for row in rows:
            logits = np.zeros(
                (len(materialised.experiment.dataset), len(materialised.experiment.dataset.classes)), dtype=np.float32
            )
            yield Outcome(row=row, logits=logits, state={})


def rows_for(experiment: Experiment) -> list[Row]:
    return rows_of(Plan.of(Splits(repeats=2)), experiment.pool, 0)


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where processes cannot be forked; processes are begun at once."""
    monkeypatch.setattr(workers, "can_fork", lambda device: False)
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.0)


@pytest.mark.parametrize("forks", [True, False])
def test_long_tasks_do_not_wait_for_the_first_of_them(
    forks: bool, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "can_fork", lambda device: forks)
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.2)
    rows = rows_for(experiment)[:2]
    tasks = [Task(rows=(row,), keys=(f"{number:02d}ab",), looked_into=frozenset()) for number, row in enumerate(rows)]
    job = Job(
        engine=Slow(), materialised=Slow().materialise(experiment, rows[0], tmp_path), tasks=tasks, folder=tmp_path
    )
    done = dict(execute(job, Store(tmp_path / "store"), workers=2))
    assert sorted(done) == ["00ab", "01ab"]
    assert len(list(tmp_path.glob("process-*"))) == 2


@pytest.mark.usefixtures("spawned")
def test_inputs_that_are_in_a_file_are_not_sent_along(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump, sent = joblib.dump, []

    def seen(what: tuple[object, Materialised], path: Path) -> None:
        sent.append(set(vars(what[1])))
        dump(what, path)

    monkeypatch.setattr(joblib, "dump", seen)
    populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=2)
    assert sent
    assert "inputs" not in sent[0]


@pytest.mark.usefixtures("spawned")
def test_no_room_for_the_inputs_is_one_line(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(joblib, "dump", full)
    with pytest.raises(StoreError, match="the disk is full"):
        populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=2)


@pytest.mark.skipif(not can_fork("cpu"), reason="processes cannot be forked here")
def test_without_room_for_a_fork_the_command_trains_alone(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = populate(experiment, rows_for(experiment), store=Store(tmp_path / "one"), workers=1)

    def refused() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    before = multiprocessing.active_children()
    monkeypatch.setattr(os, "fork", refused)
    assert same(populate(experiment, rows_for(experiment), store=Store(tmp_path / "two"), workers=2), alone)
    assert set(multiprocessing.active_children()) <= set(before)


@pytest.mark.skipif(not can_fork("cpu"), reason="processes cannot be forked here")
def test_forks_end_with_their_tasks(experiment: Experiment, tmp_path: Path) -> None:
    before = multiprocessing.active_children()
    populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=2)
    assert set(multiprocessing.active_children()) <= set(before)
