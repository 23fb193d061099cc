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
    assert {"heads", "mlps", "resnet20", "resnet18", "vit-small", "adapters", "stacked-networks", "attributions"} < set(
        steps
    )
    assert not {name: found for name, found in steps.items() if "failed" in found or found.get("equal") is False}


@pytest.mark.slow
def test_stacked_convolutional_networks_are_those_of_the_loop() -> None:
    line = [
        sys.executable,
        str(BENCHMARKS / "stacked_networks.py"),
        "--device",
        "cpu",
        "--networks",
        "2",
        "--steps",
        "2",
    ]
    said = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    differ = [float(part.split()[-1]) for part in said.split(",") if "largest_difference" in part]
    assert len(differ) == 2
    assert differ[0] < 1e-3 < differ[1] < 0.5  # float32, bfloat16
