"""The examples of trainers do what they say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import audit
from audit.trainers.base import Fit
from probes.result import Failure, Result
from tests.audit.conftest import EXAMPLES
from tests.audit.trainers.few import CHEAP, FEW


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / "trainers" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fit_of(labels: np.ndarray, folder: Path) -> Fit:
    return Fit(kept=np.arange(80), labels=labels, seed=1, start="source", device="cpu", folder=folder)


def test_a_loop_with_focal_loss_and_mixup_trains(tmp_path: Path) -> None:
    own = example("own_loop")
    X, y, _ = own.data()
    torch.manual_seed(0)
    right = own.train(fit_of(y, tmp_path))(torch.from_numpy(X)).argmax(1).numpy() == y
    assert right.mean() > 0.6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_transformers_trainer_is_audited_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    text = example("transformers_text")
    report = audit.run(None, text.data(), trainer=text.train, config=CHEAP, store=tmp_path)
    assert not [result for result in report.results if isinstance(result, Failure)]
    assert report.data["modality"] == "text"


@pytest.mark.slow
def test_a_pipeline_and_predictions_are_audited(tmp_path: Path) -> None:
    table, told = example("sklearn_pipeline"), example("predictions").predictions()
    X, y = table.people()
    fitted = table.model().fit(X[:200], (y[:200] == ">50K").astype(int))
    for report in (
        audit.run(fitted, (X, y), members=range(200), config=CHEAP, store=tmp_path),
        audit.run(audit.Predictions(**told)),
    ):
        assert report.results
        assert not [result for result in report.results if isinstance(result, Failure)]


def test_predictions_alone_have_a_forecast(tmp_path: Path) -> None:
    example("predictions_alone").predictions().to_csv(tmp_path / "predictions.csv", index=False)
    report = audit.run(predictions=tmp_path / "predictions.csv")
    assert not [result for result in report.results if isinstance(result, Failure)]
    found = report.estimate("membership", "forecast.auc")
    assert found is not None
    assert found.low < found.value < found.high
    assert "membership.forecast" in {
        finding.code for result in report.results if isinstance(result, Result) for finding in result.findings
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "needs", "model", "more"),
    [
        ("lora_adapter", "peft", "adapter", {}),
        ("vit_folder", "accelerate", "model", {"recipe": "recipe.toml", "base": "base", "trust_code": True}),
        ("timm_output", "timm", "output", {}),
        ("lightning_module", "lightning", ".", {"trust_code": True}),
    ],
)
def test_a_folder_that_a_library_left_is_audited(
    name: str, needs: str, model: str, more: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip(needs)
    folder = tmp_path / "made"
    example(name).train(folder)
    given = {key: folder / value if isinstance(value, str) else value for key, value in more.items()}
    report = audit.run(folder / model, config=FEW, store=tmp_path / "store", workers=1, **given)
    assert not [result for result in report.results if isinstance(result, Failure)]
    assert report.audit["replicas"]["splits"] == 4
    assert any("Read in" in one for one in report.audit["limits"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_private_adapter_is_audited_by_its_canaries(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    example("private_lora").train(tmp_path)
    few = {name: {"repeats": 2} for name in ("membership", "extraction", "overfitting")}
    given = {"canaries": tmp_path / "canaries.json", "store": tmp_path / "store"}
    report = audit.run(tmp_path / "adapter", config={"probes": few}, **given)
    assert not [result for result in report.results if isinstance(result, Failure)]
    assert report.estimate("membership", "epsilon.claimed").value > 10
    assert report.estimate("membership", "canary.auc_at_1_copies").low < 0.5


@pytest.mark.slow
def test_boosted_trees_are_audited_by_fitting_them_again(tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    trees = example("xgboost_table")
    X, y = trees.people()
    fitted = trees.model().fit(X[:200], y[:200])
    report = audit.run(fitted, (X, y), members=range(200), config=CHEAP, store=tmp_path)
    assert not [result for result in report.results if isinstance(result, Failure)]


@pytest.mark.slow
def test_replicas_are_trained_by_two_processes_that_share_a_model(tmp_path: Path) -> None:
    sharded = example("fsdp_processes")
    X, y, members = sharded.data()
    report = audit.run(None, (X, y), members=members, trainer=sharded.train, config=CHEAP, store=tmp_path, workers=1)
    assert not [result for result in report.results if isinstance(result, Failure)]
    assert report.audit["replicas"]["splits"] == 4
    assert report.estimate("overfitting", "recipe.accuracy_gap") is not None
