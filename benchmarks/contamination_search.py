"""Near-duplicate search in cells, as the probe does it, compared with scikit-learn's brute-force neighbours: time,
memory, and recall.

    python benchmarks/contamination_search.py [--samples 50000] [--features 512] [--table]

Samples are unit vectors in clusters, like embeddings, or with `--table` rows of independent normal columns, which have
no clusters: the worst case for cells. Recall is the share of planted copies that are found, by how much they were
altered, and the share of 1,000 samples' nearest neighbours, computed from every pair, that are found where they are
among the closest twentieth. Each search runs in a separate process that reads the vectors from a file, so that its peak
memory is its own. With several numbers of samples, scikit-learn, whose time grows with their square, runs at the
smallest only. Seconds are elapsed time and the CPU time of all threads.
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

from probes.contamination.near_vectors import as_products
from probes.contamination.nearest_neighbours import cells, nearest, pairs_above, unit

ALTERED = (0.0, 0.02, 0.1, 0.2, 0.3)
"""Noise in copies, in standard deviations of a sample's own numbers."""
EACH, ASKED = 100, 1000
"""Copies of each kind; samples of which the nearest neighbour is computed."""
COPIES = EACH * len(ALTERED)
CLOSEST = 0.95
"""Quantile of the neighbours' similarity above which pairs are sought."""


def data(samples: int, features: int, table: bool) -> np.ndarray:
    """The last COPIES are altered copies of the first."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((samples, features), dtype=np.float32)
    if not table:
        centres = rng.normal(size=(100, features)).astype(np.float32)
        vectors += centres[rng.integers(100, size=samples)]
    noise = rng.standard_normal((COPIES, features), dtype=np.float32)
    vectors[-COPIES:] = vectors[:COPIES] + np.repeat(np.float32(ALTERED), EACH)[:, None] * noise
    return vectors if table else unit(vectors)


def in_cells(vectors: np.ndarray, table: bool) -> dict[str, float]:
    """A threshold from some samples' neighbours, then pairs above it; the planted ones among them by noise."""
    queries, index = as_products(vectors) if table else (vectors, vectors)
    own = np.linspace(COPIES, len(vectors) - COPIES - 1, ASKED).astype(np.int64)
    place, similarity = nearest(queries[own], index, own)
    among = cells(queries, index, np.random.default_rng(0))
    least = float(np.quantile(similarity, CLOSEST))
    close = pairs_above(queries, index, least, among=among)
    copied = np.bincount(close.one[close.other - close.one == len(vectors) - COPIES] // EACH, minlength=len(ALTERED))
    found = {f"copies {noise}": int(count) for noise, count in zip(ALTERED, copied, strict=True)}
    near, pairs = similarity[:, 0] >= least, close.one * len(vectors) + close.other
    one, other = np.minimum(own, place[:, 0])[near], np.maximum(own, place[:, 0])[near]
    return found | {"neighbours": int(near.sum()), "found": int(np.isin(one * len(vectors) + other, pairs).sum())}


def scikit_learn(vectors: np.ndarray, table: bool) -> dict[str, float]:
    """The nearest neighbour of every sample."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=2, algorithm="brute", metric="euclidean").fit(vectors)
    place = search.kneighbors(vectors, return_distance=False)
    return {"copies": int((place[:COPIES, 1] == np.arange(len(vectors) - COPIES, len(vectors))).sum())}


SEARCHES = {"cells": in_cells, "scikit-learn": scikit_learn}


def run(name: str, path: Path, table: bool) -> dict[str, float]:
    vectors = np.load(path, mmap_mode="r")
    start, spent = time.perf_counter(), time.process_time()
    found = SEARCHES[name](vectors, table)
    seconds, cpu = time.perf_counter() - start, time.process_time() - spent
    return {"seconds": seconds, "cpu": cpu, "peak_mib": peak()} | found


def peak() -> float:
    """In MiB. `ru_maxrss` is unsuitable, because a child process inherits its parent's value."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def measured(name: str, samples: int, features: int, table: bool) -> dict[str, float]:
    """In a process of its own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, data(samples, features, table))
        command = [sys.executable, __file__, "--only", name, str(path), *(["--table"] if table else [])]
        found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{name:>12} {samples:>9} { ({key: round(value, 1) for key, value in found.items()}) }", flush=True)
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[50_000])
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--table", action="store_true", help="rows without clusters")
    parser.add_argument("--only", nargs=2, metavar=("SEARCH", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only[0], Path(given.only[1]), given.table)))
        return
    least, most = min(given.samples), max(given.samples)
    ours = {samples: measured("cells", samples, given.features, given.table) for samples in given.samples}
    plain = measured("scikit-learn", least, given.features, given.table)

    def named(samples: int) -> str:
        return f"near copies among {samples} × {given.features} numbers"

    figures = [
        Measured(
            what=f"{named(least)}: scikit-learn takes",
            value=plain["seconds"] / ours[least]["seconds"],
            unit="times as long",
        ),
        Measured(what=f"{named(most)}: CPU time", value=ours[most]["cpu"], unit="s"),
        *(
            Measured(
                what=f"{named(most)}: copies with noise {noise} found", value=ours[most][f"copies {noise}"], unit="%"
            )
            for noise in ALTERED
        ),
        Measured(
            what=f"{named(most)}: close neighbours found",
            value=100 * ours[most]["found"] / ours[most]["neighbours"],
            unit="%",
        ),
        Measured(what=f"{named(most)}: peak memory", value=ours[most]["peak_mib"], unit="MiB"),
    ]
    if least < most:
        figures.append(growth(named(most), {samples: one["cpu"] for samples, one in ours.items()}))
    publish(figures, given.json)


if __name__ == "__main__":
    main()
