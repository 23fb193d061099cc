"""Shares of a population: each replica in exactly one, and all of them the population that one machine trains."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from audit.population.populate import Progress, populate, train_share
from audit.population.schedule import schedule
from audit.population.shard import Shard
from audit.storage.remote import Remote
from audit.storage.store import ANSWERS, DamagedWarning, Store
from audit.training.experiment import Experiment
from probes.errors import DependencyError, InputError, Interrupted, StoreError
from tests.audit.population.populations import rows_for, same

URL = "memory://replicas"


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    yield
    fsspec.filesystem("memory").store.clear()


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "1/0", "-1/4", "1/2/3", "a/b", "٣/٤", "1/9999999"])
def test_an_invalid_share_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="is not a share such as 3/64"):
        Shard.parse(text)


@pytest.mark.parametrize("of", [1, 2, 3, 100])
def test_each_batch_is_in_exactly_one_share(experiment: Experiment, of: int) -> None:
    batches = schedule(experiment, rows_for(experiment))
    shares = [Shard(number, of).batches(batches) for number in range(1, of + 1)]
    assert sorted(id(batch) for share in shares for batch in share) == sorted(map(id, batches))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_machines_with_a_shared_store_train_what_one_would_and_resume_after_a_kill(
    experiment: Experiment, tmp_path: Path
) -> None:
    rows, heard = rows_for(experiment), []

    def machine(name: str) -> Store:
        return Store(tmp_path / name, Remote(URL))

    def killed(progress: Progress) -> None:
        if progress.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        train_share(experiment, rows, Shard(1, 2), store=machine("first"), workers=1, on_progress=killed)
    shutil.rmtree(tmp_path / "first")  # the node and its disk are gone
    trained = train_share(experiment, rows, Shard(1, 2), store=machine("third"), workers=1, on_progress=heard.append)
    assert heard[0].cached >= 1
    trained += train_share(experiment, rows, Shard(2, 2), store=machine("second"), workers=1)
    assert trained == len(rows)
    heard.clear()
    collected = populate(experiment, rows, store=machine("collector"), workers=1, on_progress=heard.append)
    assert (heard[0].cached, heard[-1].done) == (len(rows), len(rows))
    assert same(collected, populate(experiment, rows, store=Store(tmp_path / "alone"), workers=1))
    assert all(collected.has_network(row) == row.keeps_weights for row in rows)


def test_an_entry_that_is_damaged_there_is_removed_there(experiment: Experiment, tmp_path: Path) -> None:
    rows = rows_for(experiment)[:1]
    populate(experiment, rows, store=Store(tmp_path / "a", Remote(URL)), workers=1)
    files = fsspec.filesystem("memory")
    (name,) = files.find("/replicas")
    whole = files.cat_file(name)
    files.pipe_file(name, whole[:-8])
    with pytest.warns(DamagedWarning):
        again = populate(experiment, rows, store=Store(tmp_path / "b", Remote(URL)), workers=1)
    assert files.cat_file(name) == whole
    assert all(np.isfinite(getattr(again.population.answers, column)).all() for column in ANSWERS)


def test_a_place_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="nowhere"):
        Store(tmp_path, Remote("nowhere://a/b")).holds("ab12")
    (tmp_path / "a file").touch()
    with pytest.raises(StoreError, match="cannot be reached"):
        Remote(f"file://{tmp_path}/a file/replicas").put("ab/ab12.safetensors", tmp_path / "a file")
