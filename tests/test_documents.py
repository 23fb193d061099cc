"""The commands of README, docs, examples and reports: the command line knows each, and README's walk-through runs as it
stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from audit.cli.app import app
from probes.texts import with_methods
from reports import archive
from tests.documents import DOCUMENTS, ROOT
from tests.reports.sample import full
from tests.shell import QUICK, ran

LINE = re.compile(r"^#?    +(?:- run: |- |sh ')?((?:[A-Z_]+=\S+ )*audit [a-z].*?)'?$", re.MULTILINE)
"""An indented block, a step of a CI snippet, or the head of an example; running text begins at the margin."""
TINY = """
name = "tiny"
transfer = "parameters"
[data]
kind = "digits"
classes = ["5", "6", "7", "8", "9"]
[split]
members = 60
held_out = 60
validation = 30
[source]
model = "small_networks:digits_cnn"
options = { width = 4 }
[train]
epochs = 2
lr = 0.05
batch_size = 20
"""


def plain(line: str) -> list[str]:
    """Without what follows the command, and without variables before it."""
    words = shlex.split(re.sub(r"\s+#.*$|\s{3,}\(.*$", "", line).rstrip("\\"))
    words = words[: words.index("&&")] if "&&" in words else words
    words = words[: words.index(">")] if ">" in words else words
    return words[words.index("audit") :]


def told() -> Iterator[tuple[str, list[str], bool]]:
    """The place, the command, and whether it is complete: in running text arguments may be missing."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for found in LINE.findall(text):
            yield path.name, plain(found), True
        for inline in re.findall(r"`(audit [a-z][^`]*)`", re.sub(r"\n", " ", text)):
            yield path.name, plain(inline), False
    for path in sorted((ROOT / "examples").glob("*.toml")):
        for found in LINE.findall(path.read_text(encoding="utf-8")):
            yield path.name, plain(found), True
    for path in sorted([*ROOT.glob("reports/text/*.toml"), *ROOT.glob("probes/*/text/*.toml")]):
        content = with_methods(tomllib.loads(path.read_text(encoding="utf-8")))
        for finding in content.get("findings", {}).values():
            for one in re.sub(r"\{\w+\}", "8", finding.get("command", "")).split(" && "):
                if one:
                    yield path.name, plain(one), True


TOLD = list(told())


@pytest.mark.parametrize(("where", "words", "whole"), TOLD, ids=[" ".join(words)[:70] for _, words, _ in TOLD])
def test_every_command_is_one_that_there_is(where: str, words: list[str], whole: bool) -> None:
    group: Any = get_command(app)
    context = group.context_class(group)
    name, command, rest = group.resolve_command(context, words[1:])
    try:
        command.make_context(name, rest, parent=context)
    except Exception as error:
        # Typer carries a copy of click, whose classes have no other name. Running text may leave arguments out.
        if whole or type(error).__name__ != "MissingParameter":
            raise AssertionError(f"{where}: {' '.join(words)}") from error


def blocks(document: str) -> list[str]:
    """The indented blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"(?:^    .+\n)+", text, flags=re.MULTILINE)


def walk_through() -> list[str]:
    """README's own, but for the installation."""
    block = next(one for one in blocks("README.md") if "audit finetune" in one)
    lines = [line.strip() for line in block.splitlines()]
    assert lines[0] == "pip install -e '.[train]'"
    return lines[1:]


def test_readmes_walk_through_runs_on_a_small_recipe(tmp_path: Path) -> None:
    """All but the last line, which fine-tunes once for each countermeasure: that is for `make validate`."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "examples" / "digits.toml").write_text(TINY)
    (tmp_path / "pyproject.toml").write_text(QUICK)
    for line in walk_through()[:-1]:
        done = ran(line, tmp_path)
        verdict = line.startswith(("audit run", "audit gate"))
        assert done.returncode in ((0, 1, 3) if verdict else (0,)), f"{line}\n{done.stderr}"
    assert {"report.html", "report.md", "results.json"} <= {path.name for path in (tmp_path / "report").iterdir()}


@pytest.mark.slow
def test_readmes_walk_through_runs_unchanged(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for line in walk_through():
        done = ran(line, tmp_path)
        assert done.returncode in (0, 1, 3), f"{line}\n{done.stderr}"
    assert (tmp_path / "remedies" / "frontier.html").exists()


def test_the_documented_judging_commands_run_unchanged(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "results.json").write_text(archive.dump(full()), encoding="utf-8")
    lines = [line.strip() for one in blocks("docs/ci.md") for line in one.splitlines()]
    judging = [line for line in lines if line.startswith(("audit gate", "audit report"))]
    assert len(judging) >= 2
    for line in judging:
        done = ran(line, tmp_path)
        assert done.returncode in (0, 1, 3), f"{line}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_figures_of_the_demo_are_those_that_it_gave() -> None:
    """`make pictures` writes docs/demo.json from the demo's report."""
    found = json.loads((ROOT / "docs" / "demo.json").read_text(encoding="utf-8"))["estimates"]
    told = {name: f"{one['value']} ({one['interval']})" for name, one in found.items()}
    values = {name: one["value"].removesuffix(" %") for name, one in found.items()}
    quoted = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
    assert f"gap of the recipe {told['recipe.accuracy_gap']}, of this model {told['checkpoint.accuracy_gap']}" in quoted
    assert f"this model: AUC {told['checkpoint.auc']}" in quoted
    rate = found["recipe.tpr_at_1pct_fpr"]
    assert f"{rate['value']} of members found at 1 % false alarms ({rate['interval']})" in quoted
    train, held_out = (float(values[f"checkpoint.{part}_accuracy"]) / 100 for part in ("train", "held_out"))
    assert f"accuracy {train:.3g} and {held_out:.3g};" in quoted
