"""docs/architecture.md describes the current tree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_the_paths_that_it_names_exist() -> None:
    named = set(re.findall(r"\b(?:audit|probes|reports|tests|docs)/[\w/]*[\w/](?:\.(?:py|md|toml))?", TEXT))
    assert len(named) > 50
    patterns = {one for one in named if "NAME" in one}
    assert sorted(one for one in named - patterns if not (ROOT / one).exists()) == []


def test_the_tree_names_every_package() -> None:
    tree = TEXT.partition("## The tree")[2].partition("## ")[0]
    for top in ("audit", "probes", "reports"):
        part = tree.partition(f"\n{top}/\n")[2].partition("\n```")[0]
        packages = {path.parent.name for path in (ROOT / top).glob("*/__init__.py")}
        assert packages
        assert {name for name in packages if f"{name}/" not in part} == set()


def test_every_group_of_entry_points_is_said() -> None:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = {name for name in content["project"]["entry-points"] if name.startswith("audit.")}
    assert {name for name in groups - {"audit.displays"} if f"`{name}`" not in TEXT} == set()
