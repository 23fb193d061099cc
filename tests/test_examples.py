"""The examples in docstrings run, and whatever others call has one."""

from __future__ import annotations

import doctest
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

import audit
import probes
import reports
from probes import statistics
from probes.membership.attacks import ATTACKS
from probes.probe import PROBES

ROOT = Path(__file__).parents[1]


def modules_with_examples() -> Iterator[str]:
    for package in ("audit", "probes", "reports"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in one process: what they import is imported once."""
    monkeypatch.chdir(tmp_path)
    found = {name: doctest.testmod(import_module(name)) for name in modules_with_examples()}
    assert sum(one.attempted for one in found.values()) > 200
    assert {name: one.failed for name, one in found.items() if one.failed} == {}


def to_be_implemented(one: type) -> bool:
    """Interfaces and errors, which nobody calls."""
    return getattr(one, "_is_protocol", False) or issubclass(one, Exception)


def called_by_others() -> dict[str, object]:
    named: dict[str, object] = {f"audit.{name}": getattr(audit, name) for name in audit.__all__}
    named |= {f"probes.statistics.{name}": getattr(statistics, name) for name in statistics.__all__}
    for package in (probes, reports):
        found = {f"{package.__name__}.{name}": getattr(package, name) for name in package.__all__}
        named |= {name: one for name, one in found.items() if isinstance(one, type) and not to_be_implemented(one)}
    named |= {f"attack {name}": ATTACKS.load(name) for name in ATTACKS.names()}
    return named | {f"probe {name}": PROBES.load(name) for name in PROBES.names()}


@pytest.mark.parametrize("has", [lambda text: text.strip(), lambda text: ">>> " in text], ids=["words", "example"])
def test_whatever_others_call_is_documented_with_an_example(has: Callable[[str], object]) -> None:
    found = called_by_others()
    assert len(found) > 100
    assert [name for name, one in found.items() if not has(one.__doc__ or "")] == []
