"""The GitHub Action, the pre-commit hooks and the snippets of docs/ci.md: well formed, and their shell steps run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from reports import archive
from tests.reports.sample import sample
from tests.shell import QUICK, ran

ROOT = Path(__file__).parent.parent
VENDOR = files("check_jsonschema") / "builtin_schemas" / "vendor"
DOCS = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SNIPPETS: list[Any] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", DOCS, flags=re.S)]


def action() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return content


def follows(content: Any, schema: str) -> None:
    jsonschema.validate(content, json.loads((VENDOR / schema).read_text(encoding="utf-8")))


def test_action_follows_githubs_schema_and_pins_what_it_uses() -> None:
    follows(action(), "github-actions.json")
    for step in action()["runs"]["steps"]:
        assert re.fullmatch(r"[\w/-]+@v\d+", step.get("uses", "a/b@v1"))
        # An input in a script's text is code that anyone who sets it can write.
        assert "${{" not in step.get("run", "")
    assert all(one["description"] for one in (*action()["inputs"].values(), *action()["outputs"].values()))


def test_snippets_follow_their_schemas() -> None:
    # YAML 1.1 reads `on` as true.
    github = [
        {("on" if key is True else key): value for key, value in one.items()} for one in SNIPPETS if "jobs" in one
    ]
    assert len(github) == 2
    for content in github:
        follows(content, "github-workflows.json")
    gitlab = [one for one in SNIPPETS if "audit" in one]
    assert len(gitlab) == 1
    follows(gitlab[0], "gitlab-ci.json")
    assert "OWNER/transfer-audit@v0" in json.dumps(github[0])


def test_snippets_use_the_inputs_and_hooks_that_exist() -> None:
    used = next(step for step in SNIPPETS[0]["jobs"]["audit"]["steps"] if "transfer-audit" in step["uses"])
    assert set(used["with"]) <= set(action()["inputs"])
    hooks = {one["id"] for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    repositories = next(one for one in SNIPPETS if "repos" in one)["repos"]
    assert {hook["id"] for hook in repositories[0]["hooks"]} == hooks


def test_snippets_install_what_can_be_installed() -> None:
    """No package index has the tool: a copy's address, with extras that there are."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = [Requirement(found) for found in re.findall(r'pip install "([^"]+)"', DOCS)]
    assert len(asked) == 3
    for one in asked:
        assert one.name == "transfer-audit"
        assert str(one.url).startswith("git+https://")
        assert one.extras <= set(extras)
    assert not re.search(r"pip install transfer-audit", DOCS)


@pytest.mark.parametrize(
    ("given", "installed"),
    [
        ({"MODEL": "a.pt"}, "/action[train]"),
        ({"RESULTS": "results.json"}, "/action"),
        ({"MODEL": "a.pt", "REQUIREMENT": "mine"}, "mine"),
    ],
    ids=["audit", "judge", "own"],
)
def test_the_action_installs_what_it_needs(tmp_path: Path, given: dict[str, str], installed: str) -> None:
    variables = environment(tmp_path, **{"HERE": "/action", "REQUIREMENT": "", **given})
    python = tmp_path / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    done = step("Install", tmp_path, variables)
    assert done.stdout.split()[-1] == installed


def test_precommit_takes_the_hooks() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def environment(folder: Path, **given: str) -> dict[str, str]:
    """As a runner sets it: inputs empty unless given, and `audit` of this interpreter first in the path."""
    own = folder / "bin"
    own.mkdir(exist_ok=True)
    (own / "audit").write_text(f"#!{sys.executable}\nfrom audit.cli.start import main\nmain()\n")
    (own / "audit").chmod(0o755)
    inputs = dict.fromkeys(("MODEL", "RESULTS", "CONFIG", "BASELINE", "ARGS"), "")
    runner = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    path = f"{own}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **inputs, "OUT": "report", "AT": "audit.toml", **runner, "PATH": path, **given}


def step(name: str, folder: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    script = next(one["run"] for one in action()["runs"]["steps"] if one.get("name") == name)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("gap", "bound", "code"),
    [(0.3, 0.1, "1"), (0.02, 0.1, "0"), (0.1, 0.1, "3"), (0.1, "nonsense", "2")],
    ids=["fail", "pass", "undecided", "bad-input"],
)
def test_the_actions_steps_end_with_the_verdict(tmp_path: Path, gap: float, bound: object, code: str) -> None:
    (tmp_path / "results.json").write_text(archive.dump(sample(gap)), encoding="utf-8")
    thresholds = f'[gate]\nprofile = "none"\n[thresholds.overfitting]\n"recipe.accuracy_gap" = {{ max = {bound} }}\n'
    (tmp_path / "my audit.toml").write_text(thresholds)
    given = environment(tmp_path, RESULTS="results.json", CONFIG="my audit.toml", ARGS="--lang zh")
    done = step("Audit", tmp_path, given)
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "output").read_text()
    assert f"code={code}\n" in said
    ended = step("Verdict", tmp_path, {**given, "CODE": code})
    assert ended.returncode == int(code)
    if code == "2":
        return
    assert f"verdict={ {'0': 'pass', '1': 'fail', '3': 'undecided'}[code] }\n" in said
    assert (tmp_path / "summary").read_text(encoding="utf-8").startswith("# ")
    assert (tmp_path / "report" / "audit.sarif").exists()
    assert (tmp_path / "report" / "junit.xml").exists()
    assert ("::error" in done.stderr) == (code != "0")


@pytest.mark.parametrize("given", [{}, {"MODEL": "a.pt", "RESULTS": "b.json"}], ids=["neither", "both"])
def test_the_action_wants_a_model_or_results(tmp_path: Path, given: dict[str, str]) -> None:
    done = step("Audit", tmp_path, environment(tmp_path, **given))
    assert done.returncode == 2
    assert done.stdout.startswith("::error")


RECIPE = """
name = "in-ci"
transfer = "features"
[data]
kind = "digits"
classes = ["5", "6", "7", "8", "9"]
[split]
members = 60
held_out = 60
[source]
model = "torchvision:shufflenet_v2_x0_5"
[input]
channels = 3
size = 32
[train]
epochs = 1
lr = 0.05
batch_size = 20
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the snippets expect in a repository: a checkpoint, audit.toml, and a results.json that was committed."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "audit.toml").write_text(QUICK.replace("tool.audit.", ""))
    for line in ("audit finetune recipe.toml --out ckpt.pt", "audit run -m ckpt.pt --out report --store .audit-store"):
        done = ran(line, folder)
        assert done.returncode in (0, 1, 3), done.stderr
    return folder


def verdict_of(folder: Path) -> int:
    verdict = json.loads((folder / "results.json").read_text(encoding="utf-8"))["verdict"]
    return {"pass": 0, "fail": 1, "undecided": 3}[verdict["status"]]


@pytest.mark.slow
def test_the_snippet_with_the_action_runs_as_it_stands(repository: Path) -> None:
    used = next(one for one in SNIPPETS[0]["jobs"]["audit"]["steps"] if "transfer-audit" in one["uses"])["with"]
    given = {name.upper(): str(value) for name, value in used.items() if name != "sarif"}
    done = step("Audit", repository, environment(repository, **given, OUT="audit-report"))
    assert done.returncode == 0, done.stderr
    code = re.findall(r"code=(\d+)", (repository / "output").read_text())[-1]
    assert int(code) == verdict_of(repository / "audit-report")
    assert (repository / "audit-report" / "audit.sarif").exists()
    assert any((repository / SNIPPETS[0]["jobs"]["audit"]["steps"][1]["with"]["path"]).iterdir())


@pytest.mark.slow
def test_the_other_snippets_run_as_they_stand(repository: Path) -> None:
    """GitHub without the action, GitLab and Jenkins: each command, and each file that they hand on."""
    workflow = next(one for one in SNIPPETS if "gate" in one.get("jobs", {}))
    github = [one["run"] for one in workflow["jobs"]["gate"]["steps"] if "run" in one]
    gitlab = next(one for one in SNIPPETS if "audit" in one)["audit"]
    jenkins = re.findall(r"^ *sh '(.*)'$", DOCS, flags=re.MULTILINE)
    for script in (github, gitlab["script"], jenkins):
        install, line = script
        assert install.startswith("pip install")
        done = ran(line, repository)
        assert done.returncode == verdict_of(repository / "report"), f"{line}\n{done.stderr}"
    handed_on = [*gitlab["artifacts"]["reports"].values(), *re.findall(r"(?:junit|pattern:) '([^*']*)'", DOCS)]
    assert len(handed_on) == 4
    for one in handed_on:
        assert (repository / one).is_file(), one
    assert any((repository / gitlab["cache"]["paths"][0]).iterdir())


@pytest.mark.slow
def test_the_hooks_run_as_precommit_runs_them(repository: Path) -> None:
    hooks = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
    (asked,) = next(one for one in SNIPPETS if "repos" in one)["repos"]
    lines = {
        one["id"]: " ".join([hooks[one["id"]]["entry"], *{**hooks[one["id"]], **one}["args"]]) for one in asked["hooks"]
    }
    assert ran(lines["audit-config"], repository).returncode == 0
    assert ran(lines["audit-gate"], repository).returncode == verdict_of(repository / "report")
    valid = (repository / "audit.toml").read_text()
    (repository / "audit.toml").write_text("[probes.membership]\nrepeat = 2\n")
    assert ran(lines["audit-config"], repository).returncode == 2
    (repository / "audit.toml").write_text(valid)
