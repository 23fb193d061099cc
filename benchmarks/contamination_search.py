"""Near-duplicate search, exact and in blocks, compared with scikit-learn's brute-force neighbours: time and memory.

    python benchmarks/contamination_search.py [--samples 50000] [--features 512]

Each runs in a separate process that reads the vectors from a file, so that its peak memory is its own; the first row is
reading only. Copies are planted, and both must find all of them. Seconds are elapsed time and the CPU time of all
threads.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Measured, arguments, publish

from probes.contamination.nearest_neighbours import nearest, pairs_above, unit

COPIES = 500


def data(samples: int, features: int) -> np.ndarray:
    """Unit vectors in clusters, like embeddings; the last COPIES are slightly moved copies of the first."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(100, features)).astype(np.float32)
    vectors = centres[rng.integers(100, size=samples)] + rng.standard_normal((samples, features), dtype=np.float32)
    vectors[-COPIES:] = vectors[:COPIES] + 0.1 * rng.standard_normal((COPIES, features), dtype=np.float32)
    return unit(vectors)


def blocked(vectors: np.ndarray) -> int:
    """A threshold from 1,000 samples' neighbours, then all pairs above it; the planted ones among them."""
    own = np.arange(1000)
    _, similarity = nearest(vectors[own], vectors, own)
    close = pairs_above(vectors, vectors, float(np.quantile(similarity[COPIES:], 0.999)))
    return int(((close.other - close.one) == len(vectors) - COPIES).sum())


def scikit_learn(vectors: np.ndarray) -> int:
    """The nearest neighbour of every sample."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=2, algorithm="brute", metric="euclidean").fit(vectors)
    place = search.kneighbors(vectors, return_distance=False)
    return int((place[:COPIES, 1] == np.arange(len(vectors) - COPIES, len(vectors))).sum())


def nothing(vectors: np.ndarray) -> int:
    return 0


SEARCHES = {"reading alone": nothing, "blocked": blocked, "scikit-learn": scikit_learn}


def run(name: str, path: Path) -> dict[str, float]:
    vectors = np.load(path)
    start, spent = time.perf_counter(), time.process_time()
    found = SEARCHES[name](vectors)
    seconds, cpu = time.perf_counter() - start, time.process_time() - spent
    return {"seconds": seconds, "cpu": cpu, "peak_mib": peak(), "found": found}


def peak() -> float:
    """In MiB. `ru_maxrss` is unsuitable, because a child process inherits its parent's value."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--only", nargs=2, metavar=("SEARCH", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only[0], Path(given.only[1]))))
        return
    told = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, data(given.samples, given.features))
        for name in SEARCHES:
            command = [sys.executable, __file__, "--only", name, str(path)]
            told[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    what = f"near copies among {given.samples} × {given.features} numbers"
    plain, ours = told["scikit-learn"], told["blocked"]
    publish(
        [
            Measured(
                what=f"{what}: scikit-learn takes", value=plain["seconds"] / ours["seconds"], unit="times as long"
            ),
            Measured(what=f"{what}: CPU time", value=ours["cpu"], unit="s"),
            Measured(what=f"{what}: planted copies found", value=100 * ours["found"] / COPIES, unit="%", target=100),
            Measured(what=f"{what}: peak memory", value=ours["peak_mib"], unit="MiB"),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
