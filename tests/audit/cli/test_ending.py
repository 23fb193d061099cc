"""The process of the command ends at once, but what others registered for its end is done, and its exit code kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
import audit.cli.app as app
from audit.cli.start import main

class Noisy:
    def __init__(self): self.itself = self
    def __del__(self): print("freed")

def command():
    import atexit
    atexit.register(print, "registered later")
    global kept
    kept = Noisy()
    sys.stdout.write("said")
    {end}

app.main = command
main()
"""


@pytest.mark.parametrize(
    ("end", "code"), [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("raise SystemExit(70)", 70)]
)
def test_the_output_is_flushed_exit_functions_run_and_nothing_is_freed(end: str, code: int) -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT.format(end=end)], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (code, "saidregistered later\n", "")


def test_an_exit_code_that_is_a_text_is_printed_by_python() -> None:
    script = WITHOUT.format(end="sys.exit('why')")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, "why\n")
    assert done.stdout.endswith("freed\n")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_output_that_cannot_be_written_is_not_passed_over() -> None:
    command = [sys.executable, "-c", WITHOUT.format(end="sys.exit(0)")]
    buffered = os.environ | {"PYTHONUNBUFFERED": ""}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, env=buffered)
    assert done.returncode == 120
    assert "No space left on device" in done.stderr
