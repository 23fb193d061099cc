"""An edit anywhere in what a module imports of its own project changes the digest; an edit elsewhere does not."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from audit.storage import code_digest
from audit.storage.code_digest import digest_code


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "digested_project"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "top.py").write_text("import json\nfrom digested_project.inner import middle\n")
    (folder / "inner" / "middle.py").write_text("def late():\n    import digested_project.leaf\n")
    (folder / "leaf.py").write_text("VALUE = 1\n")
    (folder / "other.py").write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return folder


@pytest.mark.parametrize("edited", ["top.py", "inner/middle.py", "inner/__init__.py", "leaf.py", "__init__.py"])
def test_an_edit_of_what_is_imported_changes_the_digest(project: Path, edited: str) -> None:
    before = digest_code("digested_project.top")
    with (project / edited).open("a") as file:
        file.write("\n# edited\n")
    assert digest_code("digested_project.top") != before


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("top.py", "from . import other"),
        ("top.py", "from .other import VALUE"),
        ("inner/middle.py", "from ..other import VALUE"),
        ("inner/__init__.py", "from .. import other"),
    ],
)
def test_relative_imports_count_too(project: Path, place: str, line: str) -> None:
    with (project / place).open("a") as file:
        file.write(f"\n{line}\n")
    before = digest_code("digested_project.top")
    (project / "other.py").write_text("VALUE = 2\n")
    assert digest_code("digested_project.top") != before


def test_other_packages_count_where_they_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An observable of another distribution builds on our probes."""
    theirs = project.parent / "their_observable.py"
    theirs.write_text("from digested_project import leaf\n")
    before = digest_code("their_observable"), digest_code("their_observable", "digested_project")
    (project / "leaf.py").write_text("VALUE = 2\n")
    after = digest_code("their_observable"), digest_code("their_observable", "digested_project")
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_an_edit_elsewhere_changes_nothing(project: Path) -> None:
    before = digest_code("digested_project.top")
    (project / "other.py").write_text("VALUE = 2\n")
    assert digest_code("digested_project.top") == before


def test_an_observable_depends_on_the_evidence_it_reads() -> None:
    reached = code_digest._reached("probes.drift.observables.attribution")
    assert {"probes.evidence", "probes.observable", "probes.drift.explain.methods"} <= set(reached)
    assert not any(name.startswith("probes.membership") for name in reached)


@pytest.mark.parametrize(
    "line",
    [
        "from digested_project import (  # why\n    leaf,\n    other as named,\n)",
        "import json, digested_project.other",
        "if json: import digested_project.other",
        "json = 1; from digested_project import leaf, other",
        "from digested_project import leaf, \\\n    other",
        "from. import other",
        "def late():\n\tfrom digested_project.other import VALUE",
    ],
)
def test_every_form_of_an_import_counts(project: Path, line: str) -> None:
    with (project / "inner" / "__init__.py").open("a") as file:
        file.write(line.replace("from.", "from..") + "\n")
    before = digest_code("digested_project.top")
    (project / "other.py").write_text("VALUE = 2\n")
    assert digest_code("digested_project.top") != before


def test_what_looks_like_an_import_elsewhere_does_not_count(project: Path) -> None:
    with (project / "top.py").open("a") as file:
        file.write("# from digested_project import other\nNAME = 'important digested_project.other'\n")
    assert "digested_project.other" not in code_digest._reached("digested_project.top")


def test_no_import_of_our_own_sources_is_missed() -> None:
    def parsed(path: Path) -> set[str]:
        nodes = list(ast.walk(ast.parse(path.read_bytes())))
        plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}

    folder = Path(str(importlib.import_module("probes.membership").__file__)).parent
    for path in folder.rglob("*.py"):
        found = code_digest._imported(path, f"probes.membership.{path.stem}", (0, 0))
        assert parsed(path) - found == set(), path
