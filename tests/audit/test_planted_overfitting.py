"""Planted answers from training to verdict: memorised labels, a regular model, a wrong source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import audit
from audit.checkpoints.finetune import to_file
from audit.config.recipe import parse
from probes.probe import PROBES
from probes.result import Result
from reports.report import Report
from tests.audit.conftest import EXAMPLES

ALONE = {name: {"enabled": False} for name in PROBES.names() if name != "overfitting"}
CHEAP = {"repeats": 2, "learning_curve": False, "capacity": False, "linear_probe": False}


def audited(folder: Path, content: dict[str, Any], overfitting: dict[str, Any]) -> Report:
    """The recipe, fine-tuned and audited for overfitting alone, with the default thresholds."""
    torch.manual_seed(0)
    path = folder / "model.pt"
    to_file(parse(content, "test"), EXAMPLES, path, trust_code=True, progress=lambda *_: None)
    config = {"probes": {**ALONE, "overfitting": {**CHEAP, **overfitting}}}
    return audit.run(path, config=config, store=folder / "store", workers=1, trust_code=True)


def overfitting_of(report: Report) -> Result:
    (result,) = report.results
    assert isinstance(result, Result), result
    return result


def checks(report: Report) -> dict[str, str]:
    return {check.estimate: check.status for check in report.verdict.checks if check.probe == "overfitting"}


def codes(report: Report) -> set[str]:
    return {finding.code for finding in overfitting_of(report).findings}


def noisy_digits(folder: Path, flipped: float) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    bunch = load_digits()
    images, labels = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None], bunch.target.astype(np.int64)
    wrong = rng.random(len(labels)) < flipped
    labels = np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)
    np.savez(folder / "digits.npz", images=images, labels=labels)
    return {"kind": "npz", "path": str(folder / "digits.npz")}


def test_memorised_flipped_labels_fail_the_gate(tmp_path: Path) -> None:
    content = {
        "name": "rote",
        "data": noisy_digits(tmp_path, 0.2),
        "split": {"members": 400, "held_out": 400, "validation": 0},
        "source": {"model": "small_networks:digits_cnn", "options": {"width": 16}},
        "train": {"epochs": 60, "lr": 0.01, "batch_size": 32, "optimizer": "adam"},
    }
    report = audited(tmp_path, content, {})
    result = overfitting_of(report)
    assert result["checkpoint.train_accuracy"].value == 1.0
    assert result["recipe.accuracy_gap"].low > 0.15
    assert checks(report) == {
        "checkpoint.gain_over_guessing": "pass",
        "recipe.accuracy_gap": "fail",
        "checkpoint.accuracy_gap": "fail",
    }
    assert report.verdict.status == "fail"
    assert {"overfitting.gap", "overfitting.memorised", "overfitting.label-errors"} <= codes(report)


def test_a_regular_model_passes(tmp_path: Path) -> None:
    content = {
        "name": "regular",
        "data": {"kind": "digits"},
        "split": {"members": 1200, "held_out": 400, "validation": 100},
        "source": {"model": "small_networks:digits_cnn", "options": {"width": 8}},
        "train": {"epochs": 12, "lr": 0.05, "batch_size": 32},
        "regularise": {"l2": 1e-3},
    }
    report = audited(tmp_path, content, {})
    assert overfitting_of(report)["checkpoint.held_out_accuracy"].value > 0.9
    assert set(checks(report).values()) == {"pass"}
    assert not codes(report) & {"overfitting.gap", "overfitting.unclear"}


@pytest.mark.parametrize("wrong", [True, False])
def test_negative_transfer_of_a_wrong_source_is_found(tmp_path: Path, wrong: bool) -> None:
    """A frozen backbone that learned noise is worse than training from scratch; a source of other digits is not."""
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "noise.npz",
        images=rng.integers(0, 256, (400, 8, 8, 1), dtype=np.uint8),
        labels=rng.integers(0, 5, 400),
    )
    other = {"kind": "digits", "classes": ["0", "1", "2", "3", "4"]}
    source = {"kind": "npz", "path": str(tmp_path / "noise.npz")} if wrong else other
    content = {
        "name": "transferred",
        "transfer": "features" if wrong else "parameters",
        "data": {"kind": "digits", "classes": ["5", "6", "7", "8", "9"]},
        "split": {"members": 60, "held_out": 60, "validation": 0},
        "source": {
            "model": "small_networks:digits_cnn",
            "options": {"width": 4},
            "training": {
                "data": source,
                "split": {"members": 350, "held_out": 50},
                "train": {"epochs": 30, "lr": 0.01, "batch_size": 32, "optimizer": "adam"},
            },
        },
        "train": {"epochs": 10, "lr": 0.01, "batch_size": 32, "optimizer": "adam"},
    }
    report = audited(tmp_path, content, {"scratch": True, "rival_folds": 4})
    gain = overfitting_of(report)["recipe.gain_over_scratch"]
    assert (gain.high < 0) == wrong
    assert ("overfitting.negative-transfer" in codes(report)) == wrong
