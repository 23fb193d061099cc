"""The time to a verdict, from the command to its files: the demo, its audit from the store, and its first line.

    python benchmarks/verdict.py

Each figure is also compared with what it cannot avoid, importing the libraries, measured in the same run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Measured, arguments, publish

IMPORTS = "import torch, torchvision, captum.attr, scipy.stats, sklearn.linear_model"


def timed(line: list[str], folder: Path) -> tuple[float, float, float]:
    """(seconds, CPU seconds, seconds to the first output) of a command."""
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.perf_counter() - began
        process.stdout.read()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}")
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, first


def main() -> None:
    given = arguments(__doc__).parse_args()
    audit = str(Path(sys.executable).with_name("audit"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed([sys.executable, "-c", IMPORTS], folder)
        _, imports, _ = timed([sys.executable, "-c", IMPORTS], folder)
        demo, _, first = timed([audit, "demo", "--out", "demo"], folder)
        again, cpu, _ = timed([audit, "run", "-m", "demo/ckpt.pt", "-o", "again"], folder)
        again, cpu, _ = timed([audit, "run", "-m", "demo/ckpt.pt", "-o", "again"], folder)
        page, _, _ = timed([audit, "report", "again", "--format", "html", "-o", "page"], folder)
    publish(
        [
            Measured(what="audit demo", value=demo, unit="s", target=30, better="lower"),
            Measured(what="audit demo: first line", value=first, unit="s", target=1.2, better="lower"),
            Measured(what="an audit from the store", value=again, unit="s", target=4, better="lower"),
            Measured(
                what="an audit from the store: CPU time, of what importing its libraries takes",
                value=cpu / imports,
                unit="times",
                target=1.2,
                better="lower",
            ),
            Measured(what="audit report --format html", value=page, unit="s", target=2, better="lower"),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
