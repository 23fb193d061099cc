"""Data flows one way: audit imports reports imports probes, and probes import nothing of ours."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import audit
from audit.runtime import extras
from probes.errors import DependencyError
from reports import archive
from tests.reports.sample import sample

ROOT = Path(__file__).parents[1]
ALLOWED = {"probes": {"probes"}, "reports": {"reports", "probes"}, "audit": {"audit", "reports", "probes"}}


def imported(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("package", list(ALLOWED))
def test_imports_go_one_way(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {
        str(path.relative_to(ROOT)): sorted(bad)
        for path in files
        if (bad := imported(path) & set(ALLOWED) - ALLOWED[package])
    }
    assert wrong == {}


HEAVY = ("torch", "torchvision", "captum", "opacus", "sklearn", "pandas", "joblib", "scipy.stats")


def brought(code: str, folder: Path = ROOT) -> set[str]:
    """Which of the heavy libraries a program imports."""
    said = f"{code}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", said], check=True, cwd=folder, capture_output=True, text=True)
    return set(done.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    "module",
    ["audit", "audit.cli.app", "audit.config.audit_config", "audit.results.gate", "probes.result", "probes.statistics"],
)
def test_light_modules_bring_nothing_heavy(module: str) -> None:
    assert brought(f"import {module}") == set()


def test_a_configuration_of_every_probe_is_checked_without_what_trains() -> None:
    every = "from probes.probe import PROBES\nfor name in PROBES.entries(): PROBES.load(name)"
    assert brought(every) <= {"scipy.stats"}


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        (["gate", "."], set()),
        (["gate", ".", "--json"], set()),
        (["gate", ".", "--also", "junit,sarif,github,gitlab,model-card,summary"], set()),
        (["compare", ".", "results.json"], set()),
        (["history", "."], set()),
        (["report", ".", "--format", "junit"], set()),
        (["report", ".", "--format", "html"], set()),
        (["report", ".", "--format", "markdown"], set()),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, list) else "",
)
def test_judging_brings_nothing_that_trains(tmp_path: Path, command: list[str], allowed: set[str]) -> None:
    (tmp_path / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    code = f"""
import sys
from audit.cli.app import main
sys.argv = ["audit", *{command!r}]
try:
    main()
except SystemExit as ended:
    assert ended.code in (None, 0, 1, 3), ended.code
"""
    assert brought(code, tmp_path) <= allowed


def test_what_trains_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"torch", "captum"}

    def found(name: str) -> None:
        if name in absent:
            raise PackageNotFoundError(name)

    monkeypatch.setattr(extras, "distribution", found)
    with pytest.raises(DependencyError) as raised:
        audit.run("ckpt.pt")
    assert str(raised.value) == (
        "not installed: captum, torch. Training and probing need the extra 'train'; judging does not. "
        "pip install 'transfer-audit[train]'"
    )
    absent.clear()
    extras.need("train")


def test_the_core_needs_nothing_that_trains() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^\w-]", one)[0] for one in project["dependencies"]}
    train = {re.split(r"[^\w-]", one)[0] for one in project["optional-dependencies"]["train"]}
    assert {"torch", "torchvision", "captum", "scikit-learn", "pandas"} <= train
    assert not names & train
    assert sorted(extras.packages("train")) == sorted(train)
