"""Trackers read back what was logged. Each is an extra, and its test is skipped if it is not installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from audit.results.trackers import TrackerError, log
from probes.errors import DependencyError
from reports import archive, per_sample
from reports.formats.tracker_record import record
from tests.reports.sample import HOSTILE, full, sample


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results.json").write_text(archive.dump(full()), encoding="utf-8")
    (tmp_path / "samples.csv").write_text(per_sample.to_csv(sample()), encoding="utf-8")
    (tmp_path / "report.md").write_text("# Fail\n", encoding="utf-8")
    return tmp_path / "results.json"


@pytest.mark.parametrize("tracker", ["mlflow", "wandb"])
def test_an_absent_tracker_is_one_line_with_the_command(
    results: Path, tracker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, tracker, None)
    with pytest.raises(DependencyError, match=rf"pip install 'transfer-audit\[{tracker}\]'") as caught:
        log(results, tracker, "audits")  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("label", ["three", HOSTILE], ids=["plain", "hostile"])
def test_mlflow_reads_it_back(results: Path, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: nothing was logged to it")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.chdir(results.parent)
    mlflow.set_tracking_uri((results.parent / "mlruns").as_uri())
    report = full(label=label)
    results.write_text(archive.dump(report), encoding="utf-8")
    identity = log(results, "mlflow", "audits").split()[2]
    run = mlflow.get_run(identity)
    expected = record(report)
    assert run.data.metrics == pytest.approx(dict(expected.metrics))
    assert run.data.metrics["membership/recipe.auc"] == pytest.approx(0.74)
    assert run.data.metrics["membership/recipe.auc.low"] == pytest.approx(0.72)
    assert run.data.params == dict(expected.params)
    assert run.data.tags["audit.verdict"] == "fail"
    kept = {one.path for one in mlflow.MlflowClient().list_artifacts(identity)}
    assert kept == {"results.json", "report.md", "verdict.json"}


@pytest.mark.filterwarnings("default")
def test_wandb_keeps_it_offline(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed: nothing was logged to it")
    for variable, value in (("MODE", "offline"), ("DIR", str(results.parent)), ("SILENT", "true")):
        monkeypatch.setenv(f"WANDB_{variable}", value)
    assert "Weights & Biases run" in log(results, "wandb", "audits")
    wandb.teardown()  # its service writes the rest, as when a process ends
    kept = [path.read_bytes() for path in results.parent.glob("wandb/offline-run-*/*.wandb")]
    assert len(kept) == 1
    assert b"membership/recipe.auc" in kept[0]
    assert b"audit.verdict" in kept[0]
    assert list(results.parent.glob("wandb/offline-run-*/files/media/table/checks*.json"))


def test_a_tracker_that_refuses_is_one_line(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses:
        @staticmethod
        def set_experiment(name: str) -> None:
            raise ConnectionError("no route\nto host")

    monkeypatch.setitem(sys.modules, "mlflow", Refuses)
    with pytest.raises(TrackerError, match="ConnectionError: no route") as caught:
        log(results, "mlflow", "audits")
    assert "\n" not in str(caught.value)


def test_names_are_ones_that_trackers_take_and_nothing_is_infinite() -> None:
    one = record(full(label=HOSTILE))
    assert all(len(name) < 250 and name.isprintable() for name in [*one.metrics, *one.params, *one.tags])
    assert all(
        set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") for name in one.params
    )
    assert all(abs(value) < float("inf") for value in one.metrics.values())
    assert one.metrics["gate/exit_code"] == 1
    assert one.params["recipe.train.epochs"] == "3"
    json.dumps([one.metrics, one.params, one.tags])
