"""The time to a verdict, from the command to its files: the demo, its first line, when an audit's first replicas begin,
and an audit from the store.

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
from dataclasses import dataclass
from pathlib import Path

from figures import Measured, arguments, publish

IMPORTS = "import torch, torchvision, captum.attr, scipy.stats, sklearn.linear_model"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A command: seconds, CPU seconds, and when it printed each of its lines, in seconds from its start."""

    seconds: float
    cpu: float
    lines: tuple[tuple[float, str], ...]

    def until(self, words: str) -> float:
        """When the first line that contains `words` was printed."""
        return next(when for when, line in self.lines if words in line)


def timed(command: list[str], folder: Path) -> Timed:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = tuple((time.perf_counter() - began, line) for line in process.stdout)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Timed(seconds=seconds, cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, lines=lines)


def main() -> None:
    given = arguments(__doc__).parse_args()
    audit = str(Path(sys.executable).with_name("audit"))
    run = [audit, "run", "-m", "demo/ckpt.pt", "-o"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed([sys.executable, "-c", IMPORTS], folder)
        imports = timed([sys.executable, "-c", IMPORTS], folder)
        demo = timed([audit, "demo", "--out", "demo"], folder)
        anew = timed([*run, "anew", "--store", "empty"], folder)
        timed([*run, "again"], folder)
        again = timed([*run, "again"], folder)
        page = timed([audit, "report", "again", "--format", "html", "-o", "page"], folder)
    publish(
        [
            Measured(what="audit demo", value=demo.seconds, unit="s", target=30, better="lower"),
            Measured(what="audit demo: first line", value=demo.until(""), unit="s", target=1.2, better="lower"),
            Measured(
                what="audit run: replicas begin",
                value=anew.until("train replicas"),
                unit="s",
                target=1.5,
                better="lower",
            ),
            Measured(what="importing its libraries", value=imports.seconds, unit="s"),
            Measured(what="an audit from the store", value=again.seconds, unit="s", target=4, better="lower"),
            Measured(
                what="an audit from the store: CPU time, of what importing its libraries takes",
                value=again.cpu / imports.cpu,
                unit="times",
                target=1.2,
                better="lower",
            ),
            Measured(what="audit report --format html", value=page.seconds, unit="s", target=2, better="lower"),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
