"""Two local nodes, one of them killed in mid-run: nothing is lost, and no bit differs.

pip install 'transfer-audit[ray]' && python -m pytest -m slow tests/audit/population/executors/test_ray.py
"""

from pathlib import Path

import numpy as np
import pytest

from audit.population.populate import Progress, populate, rows_of
from audit.storage.store import ANSWERS, Store
from probes.plan import Plan, Splits
from tests.audit.conftest import small_experiment

ray = pytest.importorskip("ray")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_node_dies_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    # By default Ray's workers stand back behind all else that the machine does.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    experiment = small_experiment(train={"epochs": 20, "lr": 0.05, "batch_size": 10})
    rows = rows_of(Plan.of(Splits(repeats=8)), experiment.pool, 0)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    doomed = cluster.add_node(num_cpus=1)
    killed = []

    def kill(progress: Progress) -> None:
        if progress.done >= 3 and not killed:
            killed.append(progress.done)
            cluster.remove_node(doomed, allow_graceful=False)

    try:
        ray.init(address=cluster.address, log_to_driver=False)
        assert ray.cluster_resources()["CPU"] == 2
        found = populate(experiment, rows, store=Store(tmp_path / "ray"), executor="ray", on_progress=kill)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert killed
    here = populate(experiment, rows, store=Store(tmp_path / "here"), workers=1)
    for name in ANSWERS:
        assert np.array_equal(getattr(found.population.answers, name), getattr(here.population.answers, name))
