"""How far off the time is that `audit plan` predicts: replicas on digits, predicted just before they are trained.

    python benchmarks/cost_model.py

Whole networks, dense tails and heads, one worker; each ratio is of one run.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from figures import Measured, arguments, publish
from setting import experiment_of
from sklearn.datasets import load_digits

from audit.population.cost_model import price
from audit.population.populate import populate, rows_of
from audit.storage.store import Store
from probes.plan import Plan, Splits

FACTOR = 2.0
"""The prediction should be within this factor."""


def off(transfer: str, repeats: int) -> float:
    """Seconds taken per second predicted."""
    digits = load_digits()
    experiment = experiment_of(
        (digits.data[:800] / 16).astype(np.float32),
        digits.target[:800],
        "table",
        source={"model": "networks:mlp", "options": {"features": 64, "hidden": 128, "num_classes": 10}},
        transfer=transfer,
        train={"epochs": 40, "lr": 0.02, "batch_size": 25},
    )
    rows = rows_of(Plan.of(Splits(repeats=repeats)), experiment.pool, 0)
    predicted = price(experiment, rows, workers=1).seconds
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        populate(experiment, rows, store=Store(Path(folder)), workers=1)
        return (time.perf_counter() - began) / predicted


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--repeats", type=int, default=12, help="two replicas each")
    given = parser.parse_args()
    publish(
        [
            Measured(
                what=f"what `audit plan` predicts with transfer {transfer} is off, either way, by a factor of",
                value=max(ratio := off(transfer, given.repeats), 1 / ratio),
                unit="",
                target=FACTOR,
                better="lower",
            )
            for transfer in ("parameters", "last:1", "features")
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
