"""Ctrl-C is one line and its exit code, wherever it comes."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from queue import SimpleQueue
from unittest.mock import Mock

import pytest

from audit.cli.app import main
from audit.population.executors.killed import CONTINUE, KILLED
from audit.population.executors.processes import Processes
from audit.population.tasks import Done
from audit.runtime.forking import can_fork
from probes.errors import AuditError

DIVERGING = """
import sys
from pathlib import Path
from audit.population.populate import populate, rows_of
from audit.storage.store import Store
from probes.errors import NonFiniteError
from probes.plan import Plan, Splits
from tests.audit.trained import with_weights

experiment = with_weights(transfer="features", train={"epochs": 500, "lr": 3e38, "batch_size": 20})
try:
    populate(experiment, rows_of(Plan.of(Splits(repeats=8)), experiment.pool, 0), store=Store(Path(sys.argv[1])))
except NonFiniteError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_ctrl_c_in_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(listed: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.formats.console.probes_table", interrupted)
    monkeypatch.setattr(sys, "argv", ["audit", "probes"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "audit: interrupted; what was finished is kept.\n"


def test_a_replica_that_fails_on_a_thread_ends_the_program_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIVERGING, str(tmp_path / "store")]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout.startswith("replica splits/")
    assert "NaN or infinite in epoch" in ended.stdout
    assert ended.stderr == ""


WORKERS = """
import multiprocessing, os, signal, sys
from pathlib import Path
from audit.population.executors import local, workers
from audit.population.populate import populate, rows_of
from audit.storage.store import Store
from joblib.externals.loky import get_reusable_executor
from probes.errors import AuditError
from probes.plan import Plan, Splits
from tests.audit.conftest import small_experiment

spawned = []
def reused(*given, **more):
    spawned.append(get_reusable_executor(*given, **more))
    return spawned[-1]

workers.get_reusable_executor, local.WORTH_PROCESSES = reused, 0.0
if sys.argv[1] == "spawned":
    workers.can_fork = lambda device: False

def child():
    if sys.argv[1] == "spawned":
        return next(iter(spawned[-1]._processes))
    return multiprocessing.active_children()[0].pid

experiment = small_experiment()
rows = rows_of(Plan.of(Splits(repeats=8)), experiment.pool, 0)
"""
ORPHANING = f"""{WORKERS}
def killed(progress):
    if progress.done > 2:
        print(child(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

populate(experiment, rows, store=Store(Path(sys.argv[2])), workers=2, on_progress=killed)
"""
KILLING = f"""{WORKERS}
def killed(progress):
    if progress.done > 2 and not kills:
        kills.append(progress.done)
        os.kill(child(), signal.SIGKILL)

kills = []
def logits(store, on_progress, workers):
    return populate(experiment, rows, store=store, workers=workers, on_progress=on_progress).population.answers.log_prob
try:
    logits(Store(Path(sys.argv[2])), killed, 2)
except AuditError as error:
    print(error)
again = logits(Store(Path(sys.argv[2])), lambda progress: None, 1)
print((again == logits(Store(Path(sys.argv[3])), lambda progress: None, 1)).all())
"""
HERE = Path(__file__).parents[2]
KINDS = [
    pytest.param("forks", marks=pytest.mark.skipif(not can_fork("cpu"), reason="processes cannot be forked here")),
    "spawned",
]


@pytest.mark.parametrize("kind", KINDS)
def test_worker_processes_end_with_the_one_that_is_killed(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHANING, kind, str(tmp_path / "store")]
    killed = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 15
    while _alive(int(killed.stdout)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_process_that_is_killed_is_one_sentence_and_what_follows_is_equal(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLING, kind, str(tmp_path / "store"), str(tmp_path / "other")]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    said, equal = done.stdout.splitlines()
    assert said == f"{KILLED} {CONTINUE}", done.stderr
    assert equal == "True"


def test_what_a_killed_worker_leaves_is_a_sentence_that_says_what_to_do() -> None:
    others, sent = Processes.__new__(Processes), Future[list[Done]]()
    others.workers, others.sent, others.finished, others.heard = Mock(killed=BrokenExecutor), [sent], SimpleQueue(), 0
    sent.set_exception(BrokenExecutor("killed by SIGKILL(-9)"))
    others.finished.put(sent)
    with pytest.raises(AuditError) as raised:
        list(others.done(wait=True))
    assert str(raised.value) == f"{KILLED} {CONTINUE}"
    assert raised.value.exit_code == 2


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
