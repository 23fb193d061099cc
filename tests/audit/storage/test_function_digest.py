"""A factory's code is its file, the files beside it that it imports, and its packages' versions."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from audit.storage import function_digest
from audit.storage.function_digest import digest_factory


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text("import numpy\nimport layers\n\ndef make():\n    return layers.wide()\n")
    (tmp_path / "layers.py").write_text("def wide():\n    return 1\n")
    (tmp_path / "other.py").write_text("")
    return tmp_path


def digest(folder: Path) -> str:
    function_digest._digest_project.cache_clear()
    return digest_factory("nets:make", folder)


@pytest.mark.parametrize(("edited", "changes"), [("nets.py", True), ("layers.py", True), ("other.py", False)])
def test_an_edit_of_what_makes_the_network_changes_it(recipe: Path, edited: str, changes: bool) -> None:
    before = digest(recipe)
    with (recipe / edited).open("a") as file:
        file.write("# edited\n")
    assert (digest(recipe) != before) is changes


def test_another_version_of_a_package_changes_it(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(recipe)
    monkeypatch.setattr(function_digest, "_version_of", lambda name: "0.0" if name == "numpy" else "1.0")
    assert digest(recipe) != before


def test_a_module_that_is_not_loaded_is_known_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digest_factory("nowhere.nets:make", tmp_path) == "nowhere.nets:make"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "loaded_nets.py").write_text("def make():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    importlib.import_module("loaded_nets")
    try:
        assert len(digest_factory("loaded_nets:make", tmp_path)) == 64
    finally:
        del sys.modules["loaded_nets"]
