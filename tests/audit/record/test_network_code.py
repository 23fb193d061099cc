"""The code that builds a network is kept beside its weights, if a copy of it can."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from audit.config.recipe import SourceSection
from audit.models.source import build
from audit.record.network_code import keep_code
from audit.runtime.user_code import load_file

WIDTHS = "WIDTH = 3\n"
NET = """
import torch
from widths import WIDTH

class Net(torch.nn.Module):
    def __init__(self, width=WIDTH, *, options=None):
        super().__init__()
        self.inner = torch.nn.Linear(2, width)

class Needs(torch.nn.Module):
    def __init__(self, backbone):
        super().__init__()

def local():
    class Inside(torch.nn.Module):
        pass
    return Inside

if __name__ == "__main__":
    trainer.fit(Net())
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "widths.py").write_text(WIDTHS, encoding="utf-8")
    (tmp_path / "training.py").write_text(NET, encoding="utf-8")
    return tmp_path / "training.py"


def test_a_network_is_built_from_the_copy_after_the_script_has_changed(script: Path, tmp_path: Path) -> None:
    code = keep_code(load_file(script).Net, {"width": 5, "lr": 0.1}, "inner", tmp_path / "model")
    assert code.source["options"] == {"width": 5}
    assert set(code.digests) == {f"audit_code/{name}.py" for name in ("training", "widths", "audited_network")}
    script.write_text("raise RuntimeError", encoding="utf-8")
    network = build(SourceSection(**code.source), tmp_path / "model", trust_code=True)
    assert isinstance(network, torch.nn.Linear)
    assert network.out_features == 5
    sys.modules.pop("widths", None)


@pytest.mark.parametrize(
    ("kind", "arguments", "reason"),
    [
        ("Needs", {}, "Needs needs backbone, which its hyperparameters lack"),
        ("Needs", {"backbone": object()}, "Needs takes backbone, which is a object"),
        ("local", {}, "Inside is defined inside a function"),
    ],
)
def test_why_a_network_cannot_be_built_from_a_copy_is_said(
    script: Path, tmp_path: Path, kind: str, arguments: dict, reason: str
) -> None:
    found = getattr(load_file(script), kind)
    code = keep_code(found() if kind == "local" else found, arguments, "", tmp_path / "model")
    assert (code.source, code.digests, code.missing) == ({}, {}, reason)
    sys.modules.pop("widths", None)


def test_a_script_that_trains_when_it_is_imported_is_not_kept(script: Path, tmp_path: Path) -> None:
    net = load_file(script).Net
    script.write_text(f"{NET}\nlightning.Trainer().fit(Net())\n", encoding="utf-8")
    assert "training.py trains when it is imported" in keep_code(net, {}, "", tmp_path / "model").missing
    sys.modules.pop("widths", None)
