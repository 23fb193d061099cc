"""What installed distributions register: found by name, imported on first use, and named if broken."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.errors import InputError, PluginError
from probes.registry import Registry

PARTS: Registry[int] = Registry("audit.test_parts", "part")

Install = Callable[..., None]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with these entry points where Python looks for distributions."""

    def install(distribution: str, **parts: str) -> None:
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {where}" for name, where in parts.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{PARTS.group}]", *lines, ""]))

    monkeypatch.syspath_prepend(str(tmp_path))
    return install


def test_parts_are_found_by_name_and_loaded_when_asked_for(installed: Install) -> None:
    installed("theirs", two="math:tau", one="math:pi", broken="no_such_module:x")
    assert PARTS.names() == ("broken", "one", "two")
    assert PARTS.load("one") == pytest.approx(3.14159, abs=1e-4)
    assert list(PARTS.some(["two", "one"])) == ["two", "one"]


def test_an_unknown_name_is_met_with_the_nearest(installed: Install) -> None:
    installed("theirs", one="math:pi")
    with pytest.raises(InputError, match=re.escape("recipe.toml: no part 'ome'.") + ".*one"):
        PARTS.load("ome", where="recipe.toml")


def test_what_does_not_import_names_its_distribution(installed: Install) -> None:
    installed("their-parts", one="no_such_module:x")
    with pytest.raises(PluginError, match="part 'one' of their-parts: cannot be imported: ModuleNotFoundError"):
        PARTS.all()


def test_two_parts_of_one_name_are_refused(installed: Install) -> None:
    installed("theirs", one="math:pi")
    installed("others", one="math:e")
    with pytest.raises(PluginError, match="part 'one': others and theirs register two"):
        PARTS.names()


def test_what_is_not_accepted_names_its_distribution(installed: Install) -> None:
    def whole(name: str, loaded: object) -> int:
        if not isinstance(loaded, int):
            raise PluginError(f"{loaded!r} is no whole number")
        return loaded

    installed("theirs", one="math:pi")
    with pytest.raises(PluginError, match=r"part .one. of theirs: 3\.14.* is no whole number"):
        Registry(PARTS.group, "part", whole).all()
