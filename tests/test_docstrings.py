"""Public code is documented in one style: each parameter on a line of its own, what is returned, what is raised.

name         of the estimate
one, other   scores of the same samples, in [0, 1]
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import audit
import probes
import reports
from probes import errors
from probes.membership.attacks import ATTACKS
from probes.probe import PROBES

ROOT = Path(__file__).parents[1]
PORTS = (
    "audit.checkpoints.folders.base.Described",
    "audit.data.dataset.Dataset",
    "audit.engines.base.Outcome",
    "audit.record.recording.Recording",
    "audit.trainers.base.Fit",
    "probes.membership.target.Fold",
    "probes.membership.target.Target",
    "probes.observable.SourceSide",
    "probes.observable.Subject",
)
"""What plug-ins take or return."""
IMPERATIVE = re.compile(
    "(audit|dump|fine-tune|fit|judge|log|make|open|plan|predict|put|read|record|repeat|run|serve|sign|train|write)",
    re.IGNORECASE,
)
"""Verbs that a first line begins with where it does not say itself what is returned."""


def packages() -> Iterator[str]:
    """Those that list their public names."""
    for path in sorted(ROOT.glob("*/**/__init__.py")):
        if path.relative_to(ROOT).parts[0] in ("audit", "probes", "reports") and "__all__" in path.read_text("utf-8"):
            yield ".".join(path.parent.relative_to(ROOT).parts)


def defined_in(package: str) -> Iterator[tuple[str, object]]:
    for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for own, one in vars(import_module(name)).items():
            if not own.startswith("_") and getattr(one, "__module__", "") == name:
                yield f"{name}.{own}", one


def gives_an_estimate(one: object) -> bool:
    return inspect.isfunction(one) and "Estimate" in str(one.__annotations__.get("return", ""))


@cache
def called_by_others() -> dict[str, type | object]:
    """All public names, every statistic and measure, every function that gives estimates, all attacks and probes."""
    found: dict[str, object] = {}
    for name in packages():
        package = import_module(name)
        found |= {f"{name}.{own}": getattr(package, own) for own in package.__all__}
    found |= {name: getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2]) for name in PORTS}
    found |= dict(defined_in("probes.statistics")) | dict(defined_in("probes.measures"))
    found |= {name: one for name, one in defined_in("probes") if gives_an_estimate(one)}
    found |= {f"attack {name}": ATTACKS.load(name) for name in ATTACKS.names()}
    found |= {f"probe {name}": PROBES.load(name) for name in PROBES.names()}
    kept = {id(one): name for name, one in sorted(found.items(), reverse=True)}
    return {name: found[name] for name in sorted(kept.values()) if documented(found[name])}


def documented(one: object) -> bool:
    """A function or a class; the protocols of plugins and errors say in words what they are."""
    if not isinstance(one, type):
        return inspect.isfunction(one)
    return not issubclass(one, BaseException) and not getattr(one, "_is_protocol", False)


def parameters(one: object) -> list[str]:
    if isinstance(one, type):
        return [field.name for field in dataclasses.fields(one) if field.init] if dataclasses.is_dataclass(one) else []
    assert callable(one)
    return list(inspect.signature(one).parameters)


def unnamed(one: object) -> list[str]:
    """Parameters without a line of their own."""
    text = inspect.cleandoc(one.__doc__ or "")
    return [name for name in parameters(one) if not re.search(rf"^(\w+, )*{name}(, \w+)*  +\S", text, re.MULTILINE)]


def test_a_parameter_without_a_line_would_be_seen() -> None:
    def half(one: int, other: int) -> None:
        """Of `other` it speaks in passing.

        one  a number
        """

    assert unnamed(half) == ["other"]


def test_every_parameter_has_a_line_of_its_own() -> None:
    found = called_by_others()
    assert len(found) > 180
    assert {name: missing for name, one in found.items() if (missing := unnamed(one))} == {}


def test_what_is_returned_is_said() -> None:
    """By 'Returns', or by a first line that names it ('The mean over samples …')."""
    silent = []
    for name, one in called_by_others().items():
        if inspect.isfunction(one) and str(one.__annotations__.get("return")) != "None":
            text = inspect.cleandoc(one.__doc__ or "")
            first = (text.split() or [""])[0].rstrip(".,:")
            if "Returns" not in text and (not text or IMPERATIVE.fullmatch(first)):
                silent.append(name)
    assert silent == []


def raised(one: object) -> set[str]:
    """Expected errors that a function raises itself."""
    if not inspect.isfunction(one):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(one))))
    names = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    return {name for name in names if isinstance(getattr(errors, name, None), type)}


def covers(text: str, name: str) -> bool:
    """Whether the error or one that it is a kind of is named."""
    return any(kind.__name__ in text for kind in getattr(errors, name).__mro__ if issubclass(kind, errors.AuditError))


def test_what_is_raised_is_said() -> None:
    found = {
        name: unsaid
        for name, one in called_by_others().items()
        if (unsaid := [error for error in sorted(raised(one)) if not covers(one.__doc__ or "", error)])
    }
    assert found == {}


@pytest.mark.parametrize("package", [audit, probes, reports])
def test_public_names_are_among_them(package: object) -> None:
    names = getattr(package, "__all__", ())
    there = {id(one) for one in called_by_others().values()}
    assert [name for name in names if documented(one := getattr(package, name)) and id(one) not in there] == []
