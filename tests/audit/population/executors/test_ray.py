"""Two local nodes, one of them killed in mid-run: nothing is lost, and no bit differs.

pip install 'transfer-audit[ray]' && python -m pytest -m slow tests/audit/population/executors/test_ray.py
"""

from pathlib import Path

import numpy as np
import pytest

import audit
from audit.population.populate import Progress, populate, rows_of
from audit.storage.store import ANSWERS, Store
from probes.errors import TrainerError
from probes.plan import Plan, Splits
from probes.result import Result
from reports.report import Report
from tests.audit.conftest import small_experiment
from tests.audit.trainers.few import CHEAP

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


TRAINER = """
import numpy as np, torch
from helper import widened

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 4)).astype("float32")
y = (X[:, 0] > 0).astype(int)

def data():
    return X, y, range(40)

def train(fit):
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        answers = network(widened(torch.from_numpy(X[fit.kept])))
        torch.nn.functional.cross_entropy(answers, torch.from_numpy(fit.targets)).backward()
        optimizer.step()
    return network

def breaks(fit):
    if 0 not in fit.kept:
        raise ValueError("no first sample")
    return train(fit)
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_users_trainer_gives_the_same_on_ray_and_its_errors_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_worker_niceness", "0")
    (tmp_path / "helper.py").write_text("def widened(x):\n    return x * 1.0\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(TRAINER, encoding="utf-8")
    here, away, wrong = (
        {"trainer": f"{tmp_path / 'train.py'}:{name}", "config": CHEAP, "store": tmp_path / store, "workers": 1}
        for name, store in (("train", "here"), ("train", "away"), ("breaks", "wrong"))
    )
    try:
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        found = audit.run(None, executor="ray", **away)
        with pytest.raises(TrainerError, match=r"train\.py:breaks.*ValueError: no first sample"):
            audit.run(None, executor="ray", **wrong)
    finally:
        ray.shutdown()
    assert estimates(found) == estimates(audit.run(None, **here))


def estimates(report: Report) -> dict[str, tuple[float, float | None, float | None]]:
    found = [one for result in report.results if isinstance(result, Result) for one in result.estimates]
    assert found
    return {one.name: (one.value, one.low, one.high) for one in found}
