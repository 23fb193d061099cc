"""Scoring 256 replicas × 50,000 samples: every replica in turn as the audited model, computed from sufficient
statistics, compared with a refit for each. Seconds (elapsed and CPU time, which other work on the machine hardly
affects) and memory.

    python benchmarks/membership_scoring.py [--replicas 256] [--samples 50000] [--refits 2]

The memory is the increase of the process's peak; the first row is the answers themselves.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from probes.membership import lira_scores, rmia_scores
from probes.membership.leave_one_out import rmia_stand_in_scores, stand_in_scores
from probes.membership.order_intervals import stand_in_aucs, tpr_over_orders

POPULATION = 1000
"""Samples that no model trained on, for RMIA."""


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(name: str, work: Callable[[], Any]) -> Any:
    began, spent, before = time.perf_counter(), time.process_time(), peak()
    result = work()
    elapsed, cpu = time.perf_counter() - began, time.process_time() - spent
    print(f"{name:48} {elapsed:8.1f} s ({cpu:.1f} s CPU)   peak + {peak() - before:5.0f} MiB", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=256)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--refits", type=int, default=2, help="replicas that are scored by a refit, for comparison")
    given = parser.parse_args()
    replicas, samples = given.replicas, given.samples
    rng = np.random.default_rng(0)
    order = np.repeat(np.arange(replicas // 2), 2)
    keep = np.empty((replicas, samples), dtype=bool)
    for first in range(0, replicas, 2):
        keep[first] = rng.random(samples) < 0.5
        keep[first + 1] = ~keep[first]
    phi = (rng.normal(2, 2, samples) + rng.normal(0, 1, keep.shape) + 0.5 * keep).astype(np.float32)
    log_p, log_z = (
        -np.logaddexp(0, -phi),
        -np.logaddexp(0, -rng.normal(2, 2, (replicas, POPULATION)).astype(np.float32)),
    )
    print(f"{replicas} replicas x {samples} samples: margins {phi.nbytes / 2**20:.0f} MiB, process {peak():.0f} MiB")

    lira = timed("LiRA, all stand-ins", lambda: stand_in_scores(phi, keep, order))
    aucs = timed("their AUCs", lambda: stand_in_aucs(lira, keep))
    timed("their TPR at 1 % FPR", lambda: tpr_over_orders("tpr", lira, keep, order, 0.01, level=0.95))
    rmia = timed("RMIA, all stand-ins", lambda: rmia_stand_in_scores(log_p, keep, order, log_z))

    def refit(one: int) -> tuple[np.ndarray, np.ndarray]:
        others = order != order[one]
        p, z = np.exp(log_p.astype(np.float64)), np.exp(log_z.astype(np.float64))
        return (
            lira_scores(phi[one], phi[others], keep[others], variance="global"),
            rmia_scores(p[one], p[others], keep[others], z[one], z[others]),
        )

    for one in range(given.refits):
        slow_lira, slow_rmia = timed(f"LiRA and RMIA of stand-in {one} by a refit", lambda one=one: refit(one))
        # LiRA refits use medians as centres, so ranks agree only approximately.
        agree = np.corrcoef(np.argsort(np.argsort(slow_lira)), np.argsort(np.argsort(lira[one])))[0, 1]
        off = int((slow_rmia != rmia[one]).sum())
        print(
            f"  rank correlation of LiRA {agree:.4f}; RMIA differs on {off} samples, at most by "
            f"{np.abs(slow_rmia - rmia[one]).max():.4f}"
        )
    print(f"mean AUC of stand-ins {aucs.mean():.4f}")


if __name__ == "__main__":
    main()
