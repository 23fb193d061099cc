"""Processes beside the command: begun while the first task is trained, sent no copy of the inputs, said where not."""

from __future__ import annotations

import errno
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
from audit.population.executors import local
from audit.population.executors.local import execute
from audit.population.populate import populate, rows_of
from audit.population.tasks import Job, Task
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.errors import StoreError
from probes.plan import Plan, Row, Splits


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


def test_long_tasks_do_not_wait_for_the_first_of_them(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.2)
    rows = rows_for(experiment)[:2]
    tasks = [Task(rows=(row,), keys=(f"{number:02d}ab",), looked_into=frozenset()) for number, row in enumerate(rows)]
    job = Job(
        engine=Slow(), materialised=Slow().materialise(experiment, rows[0], tmp_path), tasks=tasks, folder=tmp_path
    )
    done = dict(execute(job, Store(tmp_path / "store"), workers=2))
    assert sorted(done) == ["00ab", "01ab"]
    assert len(list(tmp_path.glob("process-*"))) == 2


def test_inputs_that_are_in_a_file_are_not_sent_along(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.0)
    dump, sent = joblib.dump, []

    def seen(what: tuple[object, Materialised], path: Path) -> None:
        sent.append(set(vars(what[1])))
        dump(what, path)

    monkeypatch.setattr(joblib, "dump", seen)
    populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=2)
    assert sent
    assert "inputs" not in sent[0]


def test_no_room_for_the_inputs_is_one_line(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(joblib, "dump", full)
    with pytest.raises(StoreError, match="the disk is full"):
        populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=2)
