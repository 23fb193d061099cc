"""Near-duplicate search in cells, as the probe does it, compared with scikit-learn's brute-force neighbours: time,
memory and the share of planted copies that are found.

    python benchmarks/contamination_search.py [--samples 50000] [--features 512]

Each runs in a separate process that reads the vectors from a file, so that its peak memory is its own. With several
numbers of samples, scikit-learn, whose time grows with their square, runs at the smallest only. Seconds are elapsed
time and the CPU time of all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Measured, arguments, growth, publish

from probes.contamination.nearest_neighbours import cells, nearest, pairs_above, unit

COPIES = 500


def data(samples: int, features: int) -> np.ndarray:
    """Unit vectors in clusters, like embeddings; the last COPIES are slightly moved copies of the first."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(100, features)).astype(np.float32)
    vectors = centres[rng.integers(100, size=samples)] + rng.standard_normal((samples, features), dtype=np.float32)
    vectors[-COPIES:] = vectors[:COPIES] + 0.1 * rng.standard_normal((COPIES, features), dtype=np.float32)
    return unit(vectors)


def blocked(vectors: np.ndarray) -> int:
    """A threshold from 1,000 samples' neighbours, then pairs above it; the planted ones among them."""
    own = np.arange(1000)
    _, similarity = nearest(vectors[own], vectors, own)
    among = cells(vectors, vectors, np.random.default_rng(0))
    close = pairs_above(vectors, vectors, float(np.quantile(similarity[COPIES:], 0.999)), among=among)
    return int(((close.other - close.one) == len(vectors) - COPIES).sum())


def scikit_learn(vectors: np.ndarray) -> int:
    """The nearest neighbour of every sample."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=2, algorithm="brute", metric="euclidean").fit(vectors)
    place = search.kneighbors(vectors, return_distance=False)
    return int((place[:COPIES, 1] == np.arange(len(vectors) - COPIES, len(vectors))).sum())


SEARCHES = {"blocked": blocked, "scikit-learn": scikit_learn}


def run(name: str, path: Path) -> dict[str, float]:
    vectors = np.load(path, mmap_mode="r")
    start, spent = time.perf_counter(), time.process_time()
    found = SEARCHES[name](vectors)
    seconds, cpu = time.perf_counter() - start, time.process_time() - spent
    return {"seconds": seconds, "cpu": cpu, "peak_mib": peak(), "found": found}


def peak() -> float:
    """In MiB. `ru_maxrss` is unsuitable, because a child process inherits its parent's value."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measured(name: str, samples: int, features: int) -> dict[str, float]:
    """In a process of its own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, data(samples, features))
        command = [sys.executable, __file__, "--only", name, str(path)]
        found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{name:>12} {samples:>9} { ({key: round(value, 1) for key, value in found.items()}) }", flush=True)
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000])
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--only", nargs=2, metavar=("SEARCH", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only[0], Path(given.only[1]))))
        return
    least, most = min(given.samples), max(given.samples)
    ours = {samples: measured("blocked", samples, given.features) for samples in given.samples}
    plain = measured("scikit-learn", least, given.features)

    def named(samples: int) -> str:
        return f"near copies among {samples} × {given.features} numbers"

    figures = [
        Measured(
            what=f"{named(least)}: scikit-learn takes",
            value=plain["seconds"] / ours[least]["seconds"],
            unit="times as long",
        ),
        Measured(what=f"{named(most)}: CPU time", value=ours[most]["cpu"], unit="s"),
        Measured(what=f"{named(most)}: planted copies found", value=100 * ours[most]["found"] / COPIES, unit="%"),
        Measured(what=f"{named(most)}: peak memory", value=ours[most]["peak_mib"], unit="MiB"),
    ]
    if least < most:
        figures.append(growth(named(most), {samples: one["cpu"] for samples, one in ours.items()}))
    publish(figures, given.json)


if __name__ == "__main__":
    main()
