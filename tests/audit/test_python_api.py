"""The Python API can do all that the command line can: each option of each command is a parameter of its function."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import audit
from audit.cli.app import COMMANDS

OPTIONS = {name.__name__: frozenset(inspect.signature(name).parameters) for name, *_ in COMMANDS}
FUNCTIONS = {"population": "populate"}
"""By the command's name, where the function has another."""
PARAMETERS = {
    "no_thumbnails": "thumbnails",
    "mitigate out": "out",
    "init out": "path",
    "init every": "everything",
    "inspect model": "model",
    "history estimate": "estimates",
    "selfcheck cases": "names",
}
"""By the option's name (and the command's), where the parameter has another."""
ELSEWHERE = {
    "init check": ("check_config", "config"),
    "init register": ("register", "config"),
    "init seed": ("register", "seed"),
    "run also": ("report", "format"),
    "run at": ("report", "at"),
    "gate also": ("report", "format"),
    "gate at": ("report", "at"),
    "gate out": ("report", "out"),
}
"""Options that are a function of their own, or a parameter of another one."""
PRINTING = "what the terminal shows; a function returns it"
COMMANDS_ALONE = {
    "demo": "finetune and run of a recipe that comes with the package",
    "probes": "prints probes.probe.PROBES, which Python has as it is",
}
OPTIONS_ALONE = {
    "canaries quiet": PRINTING,
    "compare format": PRINTING,
    "compare lang": PRINTING,
    "compare json": PRINTING,
    "compare quiet": PRINTING,
    "finetune quiet": PRINTING,
    "gate json": PRINTING,
    "gate lang": PRINTING,
    "gate quiet": PRINTING,
    "mitigate json": PRINTING,
    "mitigate quiet": PRINTING,
    "population quiet": PRINTING,
    "reproduce quiet": PRINTING,
    "run json": PRINTING,
    "run quiet": PRINTING,
    "selfcheck json": PRINTING,
    "selfcheck lang": PRINTING,
    "selfcheck out": "selfcheck.json, which is `as_json` of what the function returns",
    "selfcheck quiet": PRINTING,
    "verify quiet": PRINTING,
}


def place(command: str, option: str) -> tuple[str, str]:
    """The function and its parameter that do what a command's option does."""
    name = f"{command} {option}"
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    parameter = PARAMETERS.get(name, PARAMETERS.get(option, option))
    return FUNCTIONS.get(command, command), parameter


@pytest.mark.parametrize("command", sorted(OPTIONS.keys() - COMMANDS_ALONE.keys()))
def test_what_a_command_takes_python_takes(command: str) -> None:
    for option in sorted(OPTIONS[command]):
        if f"{command} {option}" not in OPTIONS_ALONE:
            function, parameter = place(command, option)
            assert function in audit.__all__
            assert parameter in inspect.signature(getattr(audit, function)).parameters, f"{command} {option}"


def test_no_exception_is_stale() -> None:
    """Each is of a command and an option that are there, and the function could not be given it."""
    there = {f"{command} {option}" for command, options in OPTIONS.items() for option in options}
    assert set(OPTIONS_ALONE) <= there
    assert set(ELSEWHERE) <= there
    assert set(COMMANDS_ALONE) <= set(OPTIONS)
    assert not set(COMMANDS_ALONE) & set(audit.__all__)
    for name in OPTIONS_ALONE:
        function, parameter = place(*name.split())
        assert parameter not in inspect.signature(getattr(audit, function)).parameters, name


def test_the_documentation_names_every_function_and_every_command() -> None:
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    functions = {name for name in audit.__all__ if inspect.isfunction(getattr(audit, name))}
    assert {name for name in functions if f"audit.{name}(" not in text} == set()
    assert {name for name in OPTIONS if f"audit {name}`" not in text} == set()
