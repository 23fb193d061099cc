"""Every command that a report names can be typed: it exists, takes these options, and the keys it sets exist."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

import pytest
import typer

from audit.cli.app import app
from audit.config import audit_config as config
from audit.config import recipe
from audit.mitigation.countermeasures import candidates
from probes.probe import PROBES
from probes.result import Finding, Result
from probes.texts import texts
from reports.document.outline import outline
from tests.reports.sample import sample

FINDINGS = texts("en").content["findings"]
COMMANDS = {code: text["command"] for code, text in FINDINGS.items() if "command" in text}
VALUES = {"best": 3, "needed": 1000, "share": 0.3}
"""Numbers that findings carry and commands ask for."""
DEMO = files("audit.config") / "templates" / "demo.toml"


def filled(code: str) -> str:
    """With the parameters that the probe of this finding really has."""
    probe = PROBES.load(code.partition(".")[0])()
    doubled = {f"twice_{name}": 2 * value for name, value in vars(probe).items() if type(value) is int}
    return str(COMMANDS[code].format(**(doubled | VALUES)))


@pytest.mark.parametrize("code", COMMANDS)
def test_the_command_is_understood(code: str, tmp_path: Path) -> None:
    (tmp_path / "RECIPE.toml").write_text(DEMO.read_text(encoding="utf-8"))
    root = typer.main.get_command(app)
    for line in filled(code).split("&&"):
        program, name, *arguments = shlex.split(line)
        assert program == "audit"
        command = root.get_command(None, name)  # type: ignore[attr-defined]
        given = command.make_context(name, list(arguments)).params
        if name == "finetune":
            recipe.load(tmp_path / "RECIPE.toml", given["changes"])
        elif name == "mitigate":
            demo = recipe.load(tmp_path / "RECIPE.toml")
            found = candidates(demo, given["countermeasures"], 32)
            assert len(found.recipes) == len(given["countermeasures"]), found.refused
        elif name == "run":
            config.load(None, tmp_path, given["changes"] or ()).probes()


def test_findings_that_ask_for_action_say_what_helps() -> None:
    """Findings of severity `info` need none. Severities are in the probes' code, so only commands are checked."""
    assert len(COMMANDS) > 15
    for code in COMMANDS:
        assert FINDINGS[code]["helps"], code


def commanded(code: str, params: dict[str, object], values: dict[str, object]) -> str:
    finding = Finding(code=code, severity="low", claim="c", values=values)  # type: ignore[arg-type]
    result = Result(probe="overfitting", params=params, estimates=(), findings=(finding,))  # type: ignore[arg-type]
    report = sample()
    sections = outline(type(report)(**{**vars(report), "results": (result,)})).sections
    return sections[0].findings[0].command


def test_only_numbers_are_filled_in() -> None:
    """A reader copies the command into a shell, and results.json may be a stranger's."""
    assert "train.epochs=7 " in commanded("overfitting.epochs", {}, {"best": 7})
    assert commanded("overfitting.epochs", {}, {"best": "7; touch x"}) == ""
    assert commanded("overfitting.epochs", {}, {}) == ""
    assert commanded("overfitting.unclear", {"repeats": 4}, {}).endswith("probes.overfitting.repeats=8")
    assert commanded("overfitting.unclear", {"repeats": "4; touch x"}, {}) == ""


def test_both_languages_name_the_same_commands() -> None:
    assert not [code for code, text in texts("zh").content["findings"].items() if "command" in text]
