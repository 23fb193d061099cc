"""Every code in the source has a template in each language, every template a code, and both ask for the same values."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import audit
import probes
import reports
from probes.texts import PACKAGES, texts
from reports.document.next_steps import FORMS

NAME = r"[a-z0-9]+([.-][a-z0-9]+)*"
OF_EVIDENCE = r"audit\.[a-z0-9]+(-[a-z0-9]+)+"
PROBES = "|".join(sorted({*PACKAGES.names(), "statistics"} - {"reports", "probes"}))
CODES = {
    probes: re.compile(rf"({PROBES})\.{NAME}|{OF_EVIDENCE}"),
    reports: re.compile(rf"(gate|comparison)\.{NAME}"),
    audit: re.compile(OF_EVIDENCE),
}
"""What codes look like in the strings of each package."""

ALL_FORMS = sorted({form for forms in FORMS.values() for form in forms}, key=len, reverse=True)


@cache
def trees(package: ModuleType) -> tuple[ast.Module, ...]:
    sources = sorted(Path(str(package.__path__[0])).rglob("*.py"))
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in sources)


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


@cache
def spoken() -> frozenset[str]:
    """Every code that is a whole string in the source; names of per-sample columns are not codes."""
    found = set()
    for package, code in CODES.items():
        for tree in trees(package):
            pairings = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) == "Pairing"]
            columns = {id(node) for pairing in pairings for node in ast.walk(pairing)}
            found |= {
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in columns
                if code.fullmatch(node.value)
            }
    return frozenset(found)


def templates(lang: str) -> dict[str, Any]:
    """Claims and messages by their code."""
    content = texts(lang).content
    claims = {code: entry["claim"] for code, entry in content["findings"].items() if "claim" in entry}
    return {**content["messages"], **claims}


def fields(template: Any) -> set[str]:
    every = template.values() if isinstance(template, dict) else [template]
    return {name for one in every for _, name, _, _ in string.Formatter().parse(one) if name}


def given() -> Iterator[tuple[str, set[str]]]:
    """(code, names of its values) wherever both are literals in the source, in `Message(...)` and in `Finding(...)`."""
    for package in CODES:
        for node in (node for tree in trees(package) for node in ast.walk(tree)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            named = {one.arg: one.value for one in node.keywords}
            if node.func.id == "Message" and node.args:
                code, values = node.args[0], node.args[1] if len(node.args) > 1 else ast.Dict(keys=[], values=[])
            elif node.func.id == "Finding" and "code" in named:
                code, values = named["code"], named.get("values", ast.Dict(keys=[], values=[]))
            else:
                continue
            if isinstance(code, ast.Constant) and isinstance(values, ast.Dict) and None not in values.keys:
                yield str(code.value), {str(one.value) for one in values.keys if isinstance(one, ast.Constant)}


def test_every_code_has_a_template_and_every_template_a_code() -> None:
    known = set(texts("en").content["findings"]) | set(texts("en").content["messages"])
    assert len(spoken()) > 80
    assert spoken() - known == set()
    assert {plain(code).removesuffix(".beside") for code in known} - spoken() == set()


def plain(code: str) -> str:
    """Without the form for some audits (`Texts.preferring`)."""
    found = (code.removesuffix(f"-{form}") for form in ALL_FORMS if code.endswith(f"-{form}"))
    return next((one for one in found if one in texts("en").content["messages"]), code)


def test_the_form_of_a_message_asks_for_no_other_values() -> None:
    messages = texts("en").content["messages"]
    forms = {code: template for code, template in messages.items() if plain(code) != code}
    assert len(forms) > 10
    for code, template in forms.items():
        assert fields(template) <= fields(messages[plain(code)]), code


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_finding_has_its_method_and_limits(lang: str) -> None:
    for code, entry in texts(lang).content["findings"].items():
        assert entry["claim"], code
        assert entry["how"], code
        assert entry["limits"], code


def test_both_languages_ask_for_the_same_values() -> None:
    english, chinese = templates("en"), templates("zh")
    assert english.keys() <= chinese.keys()
    for code, template in english.items():
        assert fields(chinese[code]) == fields(template), code


def test_templates_get_the_values_that_they_ask_for() -> None:
    seen = dict(given())
    assert len(seen) > 20
    for code, names in given():
        for lang in ("en", "zh"):
            template = texts(lang).own("messages", code) or texts(lang).own("findings", code, "claim") or ""
            assert fields(template) <= names, (code, lang)


def test_chinese_speaks_of_all_that_english_does() -> None:
    def paths(content: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for key, value in content.items():
            if isinstance(value, dict) and set(value) != {"one", "other"}:
                yield from paths(value, (*above, key))
            else:
                yield (*above, key)

    lacking = set(paths(texts("en").content)) - set(paths(texts("zh").content))
    others = {
        path for path in lacking if path[0] != "instead" and path[-1].split("-")[0] not in ("command", "citations")
    }
    assert others == set()


OF_SOURCE_OR_METHOD = {
    "drift.unfit-method",
    "drift.shortcuts-not-searched",
    "inheritance.format-runs-code",
    "inheritance.provenance-gaps",
}
"""Findings about a source's files, a method, or what was not done."""


@pytest.mark.parametrize(("lang", "whom"), [("en", ("this model", "this recipe")), ("zh", ("模型", "配方"))])
@pytest.mark.parametrize("risk", ["contamination", "drift", "inheritance"])
def test_a_claim_says_whether_it_is_of_this_model_or_of_this_recipe(lang, whom, risk):
    findings = texts(lang).packages[risk]["findings"]
    silent = {
        code
        for code, one in findings.items()
        if not any(word in str(one["claim"]).lower().replace("the recipe", "this recipe") for word in whom)
    }
    assert silent - OF_SOURCE_OR_METHOD == set()
