"""The cost of judging: CPU seconds of `audit gate`, compared with an empty Python process and with importing torch.

    python benchmarks/judging.py [RESULTS.json]

The ratio is comparable across machines; the seconds are not.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import Measured, arguments, publish

from reports import archive

RUNS = 5


def seconds(code: str) -> float:
    """CPU time, user and system, of a fresh interpreter: the minimum of RUNS."""
    taken = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


def small(folder: str) -> Path:
    """Results to judge if none are given."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.reports.sample import full

    path = Path(folder) / "results.json"
    path.write_text(archive.dump(full()), encoding="utf-8")
    return path


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("results", nargs="?", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = given.results or small(folder)
        command = (
            f"import sys; sys.argv = ['audit', 'gate', {str(results)!r}]; from audit.cli.start import main; main()"
        )
        judged, empty, torch = seconds(command), seconds("pass"), seconds("import torch")
    publish(
        [
            Measured(what="audit gate: CPU time", value=judged, unit="s", target=0.7, better="lower"),
            Measured(what="audit gate, of what importing torch takes", value=judged / torch, unit="times"),
            Measured(what="an empty Python, of what importing torch takes", value=empty / torch, unit="times"),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
