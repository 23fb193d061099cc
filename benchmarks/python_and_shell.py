"""The same audit from Python and from the shell, each with one busy process alongside: the ratio of their times.

    python benchmarks/python_and_shell.py

Python imports torch first, so OpenMP's threads may spin while they wait. This measures the effect of limiting threads
around the audit's work: without a limit, the call took three times as long as the command. The call is timed from the
start of its process until it has returned; that Python then frees what the libraries made, which the command leaves
to the system, is a figure of its own. Command and call alternate, and the fastest of each counts.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Measured, arguments, publish

import audit

RECIPE = Path(__file__).parents[1] / "examples" / "digits.toml"
CONFIG = "[probes.membership]\nrepeats = 2\n\n[probes.overfitting]\nrepeats = 1\n"
CALL = """
import torch
torch.ones(200, 200) @ torch.ones(200, 200)
import audit
audit.run("ckpt.pt", config="audit.toml", out="python", store="python-{turn}", workers=2, trust_code=True)
print("returned", flush=True)
"""
COMMAND = "run -m ckpt.pt -c audit.toml -o shell --store shell-{turn} --workers 2 --trust-code --quiet"
TURNS = 3


def seconds(line: list[str], folder: str, environment: dict[str, str]) -> tuple[float, float]:
    """Until it printed its first line, or ended without, and until it ended."""
    began = time.perf_counter()
    with subprocess.Popen(line, cwd=folder, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        returned = time.perf_counter() - began
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{line[0]} ended with {process.returncode}")
    return returned, time.perf_counter() - began


def main() -> None:
    given = arguments(__doc__).parse_args()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    with tempfile.TemporaryDirectory() as folder:
        audit.finetune(RECIPE, Path(folder) / "ckpt.pt")
        (Path(folder) / "audit.toml").write_text(CONFIG, encoding="utf-8")
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            try:
                audit_command, shells, calls = str(Path(sys.executable).with_name("audit")), [], []
                for turn in range(TURNS):
                    line = [audit_command, *shlex.split(COMMAND.format(turn=turn))]
                    shells.append(seconds(line, folder, environment)[1])
                    calls.append(seconds([sys.executable, "-c", CALL.format(turn=turn)], folder, environment))
            finally:
                busy.kill()
    shell, (returned, ended) = min(shells), map(min, zip(*calls, strict=True))
    what = "audit.run beside a busy process, of what the command takes"
    publish(
        [
            Measured(what=what, value=returned / shell, unit="times", target=1.1, better="lower"),
            Measured(what=f"{what}: with the end of the Python process", value=ended / shell, unit="times"),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
