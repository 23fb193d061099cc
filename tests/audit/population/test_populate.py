"""The population does not depend on workers, interruptions, damage, or what was there before."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from audit.engines.registry import choose
from audit.population import populate as population
from audit.population.executors import local
from audit.population.populate import Progress, joined, populate, rows_of
from audit.storage.store import DamagedWarning, Store
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict
from probes.errors import DependencyError, Interrupted, NonFiniteError
from probes.plan import Plan, Seeds
from tests.audit.conftest import small_experiment
from tests.audit.population.populations import PLAN, rows_for, same
from tests.audit.trained import with_weights


def test_rows_come_in_balanced_rounds(experiment: Experiment) -> None:
    rows = rows_for(experiment)
    assert [row.repeat for row in rows] == sorted(row.repeat for row in rows)
    assert {row.design for row in rows if row.repeat == 0} == {"splits", "seeds", "shuffled", "linear-probe"}
    again = rows_of(PLAN | Plan.of(Seeds(replicas=5)), experiment.pool, experiment.seed)
    kept = {row.name: row.keep for row in again}
    assert all(np.array_equal(row.keep, kept[row.name]) for row in rows)


def test_answers_are_the_visible_loops_about_the_rows_own_targets(experiment: Experiment, tmp_path: Path) -> None:
    rows = rows_for(experiment)
    replicas = populate(experiment, rows, store=Store(tmp_path), workers=1)
    assert replicas.population.rows == tuple(rows)
    (number,) = [number for number, row in enumerate(rows) if row.design == "shuffled"]
    logits = predict(fine_tune(experiment, rows[number]).network, experiment.inputs)
    targets = rows[number].targets
    assert targets is not None
    shifted = logits - logits.max(1, keepdims=True)
    expected = shifted[np.arange(len(targets)), targets] - np.log(np.exp(shifted).sum(1))
    assert replicas.population.answers.log_prob[number] == pytest.approx(expected, abs=1e-5)


def test_networks_are_rebuilt_from_what_changed(experiment: Experiment, tmp_path: Path) -> None:
    rows = rows_for(experiment)
    replicas = populate(experiment, rows, store=Store(tmp_path), workers=1)
    looked_into = [number for number, row in enumerate(rows) if replicas.has_network(row)]
    assert {rows[number].name for number in looked_into} == {
        "seeds/0/0", "seeds/1/0", "splits/0/0", "splits/0/1", "shuffled/0/0",
    }  # fmt: skip
    for number in looked_into:
        logits = predict(replicas.network(rows[number]), experiment.inputs)
        assert np.array_equal(logits.argmax(1), replicas.population.answers.predicted[number])


@pytest.mark.parametrize(("engine", "transfer"), [("full", "parameters"), ("tail", "last:2"), ("stacked", "last:1")])
def test_workers_change_no_bit(engine: str, transfer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WORTH_PROCESSES", 0.0)
    experiment = with_weights(transfer=transfer)
    rows = rows_for(experiment)
    assert choose(experiment, rows[0]).engine.name == engine
    alone = populate(experiment, rows, store=Store(tmp_path / "one"), workers=1)
    together = populate(experiment, rows, store=Store(tmp_path / "two"), workers=2)
    assert same(alone, together)


def test_what_is_stored_is_not_trained_again(experiment: Experiment, tmp_path: Path) -> None:
    rows, heard = rows_for(experiment), []
    first = populate(experiment, rows, store=Store(tmp_path), workers=1)
    again = populate(experiment, rows, store=Store(tmp_path), workers=1, on_progress=heard.append)
    assert same(first, again)
    assert [(progress.done, progress.cached) for progress in heard] == [(len(rows), len(rows))]


def test_a_damaged_entry_is_trained_again_to_the_same_bits(experiment: Experiment, tmp_path: Path) -> None:
    rows, store = rows_for(experiment), Store(tmp_path)
    first = populate(experiment, rows, store=store, workers=1)
    path = next(iter(store.entries())).path
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 255]))
    with pytest.warns(DamagedWarning):
        again = populate(experiment, rows, store=store, workers=1)
    assert same(first, again)
    assert path.read_bytes() == before


def test_an_interrupted_run_keeps_what_is_done_and_goes_on(experiment: Experiment, tmp_path: Path) -> None:
    rows, heard = rows_for(experiment), []

    def interrupt(progress: Progress) -> None:
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=f"3 of {len(rows)} replicas are kept"):
        populate(experiment, rows, store=Store(tmp_path / "a"), workers=1, on_progress=interrupt)
    resumed = populate(experiment, rows, store=Store(tmp_path / "a"), workers=1, on_progress=heard.append)
    assert heard[0].cached == 3
    assert same(resumed, populate(experiment, rows, store=Store(tmp_path / "b"), workers=1))
    assert not list((tmp_path / "a" / "scratch").iterdir())


KILLED = """
import sys
from pathlib import Path
import torch
from audit.population.populate import populate
from audit.storage.store import Store
from tests.audit.conftest import small_experiment
from tests.audit.population.populations import PLAN, rows_for, same
from tests.audit.population.test_populate import rows_for
torch.set_num_threads(1)
experiment = small_experiment()
populate(experiment, rows_for(experiment), store=Store(Path(sys.argv[1])), workers=1)
"""


def test_a_killed_run_leaves_whole_entries_and_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    experiment, store = small_experiment(), Store(tmp_path / "killed")
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(store.folder)], cwd=root)
    while process.poll() is None and len(list(store.entries())) < 2:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(store.entries()))
    rows = rows_for(experiment)
    assert 2 <= done < len(rows)
    resumed = populate(experiment, rows, store=store, workers=1)
    undisturbed = populate(experiment, rows, store=Store(tmp_path / "whole"), workers=1)
    assert same(resumed, undisturbed)
    assert not list((store.folder / "scratch").iterdir())


def test_an_error_in_training_names_the_replica(tmp_path: Path) -> None:
    experiment = small_experiment(train={"epochs": 2, "lr": 1e20, "batch_size": 25})
    with pytest.raises(NonFiniteError, match=r"replica \w+/0/0"):
        populate(experiment, rows_for(experiment), store=Store(tmp_path), workers=1)


def test_without_ray_one_line_says_what_to_install(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DependencyError, match=r"pip install 'transfer-audit\[ray\]'"):
        populate(experiment, rows_for(experiment), store=Store(tmp_path), executor="ray")


def test_parts_of_a_population_are_the_whole(experiment: Experiment, tmp_path: Path) -> None:
    rows, store = rows_for(experiment), Store(tmp_path)
    whole = populate(experiment, rows, store=store, workers=1)
    parts = [populate(experiment, part, store=store, workers=1) for part in (rows[:4], rows[4:])]
    together = joined(parts)
    assert same(together, whole)
    assert together.population.rows == whole.population.rows
    assert together.keys == whole.keys


def test_rows_of_a_design_can_stand_together(experiment: Experiment, tmp_path: Path) -> None:
    rows, store = rows_for(experiment), Store(tmp_path)
    whole = populate(experiment, rows, store=store, workers=1).population
    grouped = populate(experiment, rows, store=store, workers=1, by_design=True).population
    designs = [row.design for row in grouped.rows]
    assert sum(one != other for one, other in itertools.pairwise(designs)) == len(set(designs)) - 1
    for name in set(designs):
        assert grouped.design(name).rows == whole.design(name).rows
        assert np.array_equal(grouped.design(name).answers.margin, whole.design(name).answers.margin)


def test_no_rows_are_no_replicas(experiment: Experiment, tmp_path: Path) -> None:
    replicas = populate(experiment, [], store=Store(tmp_path / "store"), workers=1)
    assert len(replicas.population) == 0
    assert not (tmp_path / "store").exists()
    assert population.schedule(experiment, []) == []
