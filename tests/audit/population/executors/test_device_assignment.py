"""Workers share several accelerators evenly. There is none here: the choice is tested, not the training."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import torch

from audit.population.executors.device_assignment import next_number, take_device
from audit.runtime.devices import device, workers_for


def test_no_two_workers_have_one_seat(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: next_number(tmp_path), range(40)))
    assert sorted(numbers) == list(range(40))


def test_workers_spread_over_the_devices_and_stay_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    together = Barrier(4)

    def work(_: int) -> None:
        together.wait()
        for _task in range(3):
            take_device(tmp_path, "cuda")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(taken) == [0, 0, 1, 1]
    take_device(tmp_path, "cpu")
    assert len(taken) == 4


def test_an_accelerator_is_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device() == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert (device(), workers_for("mps")) == ("mps", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert (device(), workers_for("cuda")) == ("cuda", 4)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to processors")
def test_processors_that_others_were_given_are_not_taken() -> None:
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(mine)})
    try:
        assert workers_for("cpu") == 1
    finally:
        os.sched_setaffinity(0, mine)
