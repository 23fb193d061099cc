"""All words in one place a language, none missing, none for something that does not exist."""

from __future__ import annotations

import ast
import re
import string
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import probes
from probes.errors import InputError
from probes.result import Finding
from reports.wording.catalogue import words

UNTRANSLATED = {"command", "citations", "phrases"}
SOURCES = sorted(Path(probes.__file__).parent.rglob("*.py"))


def read(lang: str) -> dict[str, object]:
    return tomllib.loads((files("reports") / "text" / f"{lang}.toml").read_text(encoding="utf-8"))


def paths(content: dict[str, object], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from paths(value, (*above, key))
        else:
            yield (*above, key), str(value)


def finding_codes() -> set[str]:
    """Every finding code that stands in a probe's source."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            known = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if known and re.fullmatch(r"(membership|overfitting|drift|contamination)\.[a-z]+(-[a-z0-9]+)*", node.value):
                found.add(node.value)
    return found


def test_every_finding_has_its_method_and_limits() -> None:
    known = read("en")["findings"]
    codes = finding_codes()
    assert len(codes) > 20
    assert codes - set(known) == set()
    for code in codes:
        assert known[code]["how"], code
        assert known[code]["limits"], code


def test_chinese_lacks_nothing() -> None:
    chinese = dict(paths(read("zh")))
    lacking = {path for path, _ in paths(read("en")) if path not in chinese and not {path[0], path[-1]} & UNTRANSLATED}
    assert lacking == set()


@pytest.mark.parametrize("part", ["ui", "verdict"])
def test_translations_ask_for_the_same_values(part: str) -> None:
    fields = lambda text: {name for _, name, _, _ in string.Formatter().parse(text) if name}  # noqa: E731
    chinese = dict(paths(read("zh")))
    for path, text in paths({part: read("en")[part]}):
        assert fields(chinese[path]) == fields(text), path


def test_claims_are_filled_from_values_else_as_the_probe_said_them() -> None:
    say = words("zh")
    values = {"gap": 0.1234, "low": 0.1, "high": 0.15}
    finding = Finding(code="overfitting.gap", severity="high", claim="English.", values=values)
    assert "12.3 %" in say.claim(finding)
    stranger = Finding(code="overfitting.gap", severity="high", claim="English.", values={})
    assert say.claim(stranger) == "English."
    assert words("en").claim(finding) == "English."


def test_unknown_names_and_languages() -> None:
    say = words("en")
    assert say.estimate("attack.loss.auc") == "AUC of the attack loss, by itself"
    assert say.estimate("strange.number") == "strange.number"
    assert say.probe("strange", "title") == "strange"
    with pytest.raises(InputError, match="no language"):
        words("tlh")


FEWER = "The budget of 20m left 3 of 4 linear-probe, 3 of 8 splits rounds."
GAP = "an accuracy gap of 0.048 instead of 0.039"
TPR = "a true-positive rate at 1 % false positives of 0.017 instead of 0.014"


@pytest.mark.parametrize(
    "said",
    [
        f"{FEWER} Found with 80 % probability is now {GAP}, {TPR}.",
        f"{FEWER} Found with 80 % probability is now {GAP}.",
        f"{FEWER} Found with 80 % probability is now {TPR}.",
        FEWER,
        "Looked at 3 times, without stopping early: its last look spent 60 % of the gate's error.",
        "Stopped after 4 of 8 rounds with every check decided: this look spent 16 % of the gate's error.",
    ],
)
def test_notes_beneath_the_verdict_are_translated(said: str) -> None:
    told = words("zh").sentence(said)
    assert not re.search(r"budget|found|instead|look|stopped", told.casefold())
    assert set(re.findall(r"\d+\.\d+", said)) <= set(re.findall(r"\d+\.\d+", told))
