"""Benchmarks prepared for unavailable machines run here in their reduced form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_every_step_of_the_accelerators_script_runs_on_a_processor(tmp_path: Path) -> None:
    line = [sys.executable, str(BENCHMARKS / "accelerator.py"), "--device", "cpu", "--out", str(tmp_path)]
    subprocess.run(line, check=True)
    steps = json.loads((tmp_path / "results.json").read_text())["steps"]
    assert {"heads", "mlps", "resnet20", "resnet18", "vit-small", "adapters", "attributions"} < set(steps)
    assert not {name: found for name, found in steps.items() if "failed" in found or found.get("equal") is False}
