"""Weights wherever training scripts put them, and what lies beside them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from audit.checkpoints.foreign_weights import beside
from audit.models.weight_files import read_state
from probes.errors import CheckpointError
from probes.texts import texts

STATE = {"body.weight": torch.ones(2, 2), "head.weight": torch.zeros(2, 2)}


@pytest.mark.parametrize(
    "content",
    [
        {"net": STATE},
        {"model_state": STATE, "epoch": torch.tensor(3)},
        {"generator": STATE, "optimizer": {"state": {0: {"exp_avg": torch.zeros(1)}}, "param_groups": []}, "args": {}},
        {"model": STATE, "model_ema": {"head.weight": torch.zeros(1)}},
        {"checkpoint": {"module": STATE, "step": 3}},
    ],
)
def test_weights_are_found_wherever_a_training_script_put_them(tmp_path: Path, content: dict) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert set(read_state(tmp_path / "a.pt")) == set(STATE)


def test_several_state_dicts_are_listed_and_pickled_arguments_named(tmp_path: Path) -> None:
    torch.save({"student": STATE, "other": STATE}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="'other' and 'student'"):
        read_state(tmp_path / "a.pt")
    torch.save({"model": STATE, "args": argparse.Namespace(lr=0.1)}, tmp_path / "b.pt")
    with pytest.raises(CheckpointError, match=r"pickled argparse\.Namespace.*weights_only=False"):
        read_state(tmp_path / "b.pt")


def test_averages_and_a_weighted_loss_beside_the_weights_are_said(tmp_path: Path) -> None:
    torch.save({"model": STATE, "model_ema": STATE}, tmp_path / "a.pt")
    found = beside(tmp_path / "a.pt", {**STATE, "criterion.weight": torch.ones(2)}, STATE)
    averages, loss = (texts("en").say(one) for one in found)
    assert "model_ema" in averages
    assert "criterion.weight" in loss
