"""Ctrl-C is one line and its exit code, wherever it comes."""

import subprocess
import sys
from pathlib import Path

import pytest

from audit import review
from audit.cli import main

DIVERGING = """
import sys
from pathlib import Path
from audit.population import populate, rows_of
from audit.store import Store
from probes.errors import NonFiniteError
from probes.plan import Plan, Splits
from tests.audit.engines.test_tail import with_weights

experiment = with_weights(transfer="features", train={"epochs": 500, "lr": 3e38, "batch_size": 20})
try:
    populate(experiment, rows_of(Plan.of(Splits(repeats=8)), experiment.pool, 0), store=Store(Path(sys.argv[1])))
except NonFiniteError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def test_ctrl_c_in_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(review, "list_probes", interrupted)
    monkeypatch.setattr(sys, "argv", ["audit", "probes"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "audit: interrupted; what was done is kept.\n"


def test_a_replica_that_fails_on_a_thread_ends_the_program_in_order(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DIVERGING, str(tmp_path / "store")]
    ended = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout.startswith("replica splits/")
    assert "NaN or infinite in epoch" in ended.stdout
    assert ended.stderr == ""
