"""What README and docs show besides commands: Python, TOML, functions, programs and extras, all of which there are."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import audit
from audit.config.audit_config import check_config
from audit.config.language_recipe import language_recipe_of
from tests.documents import ROOT, TEXTS, fenced

OURS = ("audit", "probes", "reports", "tests")
JUDGED = {"gate", "thresholds", "probes", "waivers", "expect"}
"""Tables of audit.toml; other TOML is of a recipe."""


def indented() -> Iterator[tuple[str, str]]:
    """Blocks by indentation outside fences, with the document."""
    for name, text in TEXTS.items():
        rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for block in re.findall(r"(?<=\n\n)(?:(?:    .*)?\n)*?    .+\n(?=\n(?! {4})|\Z)", rest):
            yield name, textwrap.dedent(block)


PYTHON = [*fenced("python"), *(one for one in indented() if re.match(r"(from \S+ )?import \S+$", one[1], re.MULTILINE))]
TOML = [*fenced("toml"), *(one for one in indented() if re.match(r"(# \S+\n)?\[[a-z.\"-]+\]$", one[1], re.MULTILINE))]


@pytest.mark.parametrize(("document", "code"), PYTHON, ids=[name for name, _ in PYTHON])
def test_python_compiles_and_what_it_imports_of_ours_is_there(document: str, code: str) -> None:
    for node in ast.walk(ast.parse(code, document)):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in OURS:
            spec = importlib.util.find_spec(str(node.module))
            assert spec is not None, node.module
            assert spec.origin is not None
            defined = Path(spec.origin).read_text(encoding="utf-8")  # not imported: it may need an extra
            for name in node.names:
                assert re.search(
                    rf"^(?:class|def) {name.name}\b|\b{name.name}\b.*=|import .*\b{name.name}\b", defined, re.M
                )
        elif isinstance(node, ast.Import):
            assert all(importlib.util.find_spec(one.name.split(".")[0]) for one in node.names)
        elif isinstance(node, ast.Call):
            _takes(ast.unparse(node.func), node)


@pytest.mark.parametrize("document", sorted({name for name, _ in fenced("pycon")}))
def test_sessions_give_what_they_show(document: str) -> None:
    code = "\n".join(block for name, block in fenced("pycon") if name == document)
    differs: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(doctest.DocTestParser().get_doctest(code, {}, document, document, 0), out=differs.append)
    assert differs == []


def _takes(name: str, call: ast.Call) -> None:
    """A function of ours that is called by its full name takes these arguments."""
    if not name.startswith("audit.") or name.count(".") != 1:
        return
    function = getattr(audit, name.removeprefix("audit."))
    given = [one for one in call.args if not (isinstance(one, ast.Constant) and one.value is ...)]
    inspect.signature(function).bind_partial(*given, **{str(one.arg): one.value for one in call.keywords})


def test_functions_in_running_text_take_what_they_are_given() -> None:
    found = [
        one for text in TEXTS.values() for one in re.findall(r"`(audit\.[a-z_]+\([^`]*\))`", text.replace("\n", " "))
    ]
    assert len(found) > 20
    for one in found:
        call = ast.parse(re.sub(r"=(?=[,)])", "=...", one), mode="eval").body
        assert isinstance(call, ast.Call)
        _takes(ast.unparse(call.func), call)


def test_signatures_that_the_documents_list_are_those_of_the_functions() -> None:
    found = re.findall(r"(probes(?:\.[a-z_]+)+)\((.*?)\)(?: ->.*)?(?: ;|$)", TEXTS["membership.md"], re.MULTILINE)
    assert len(found) >= 5
    for name, listed in found:
        module, _, function = name.rpartition(".")
        told = ast.parse(f"def f({listed}): ...").body[0]
        assert isinstance(told, ast.FunctionDef)
        real = inspect.signature(getattr(import_module(module), function)).parameters
        keywords = [one.arg for one in told.args.kwonlyargs]
        assert [one.arg for one in told.args.args] == [key for key, one in real.items() if one.kind != one.KEYWORD_ONLY]
        assert set(keywords) <= set(real), name
        for key, default in zip(keywords, told.args.kw_defaults, strict=True):
            assert default is None or ast.literal_eval(default) == real[key].default, f"{name}: {key}"


@pytest.mark.parametrize(("document", "content"), TOML, ids=[name for name, _ in TOML])
def test_toml_is_read_by_what_it_is_shown_for(document: str, content: str) -> None:
    tables = tomllib.loads(content)
    if set(tables) <= JUDGED:
        check_config(tables)
    elif document == "language_models.md":
        language_recipe_of(tables, document)


def test_programs_that_are_named_are_there() -> None:
    for document, text in TEXTS.items():
        for module, script in re.findall(r"python (?:-m ([a-z_.]+[a-z_])|([a-z_/]+\.py))", text):
            if module and module.split(".")[0] in OURS:
                place = ROOT / module.replace(".", "/")
                assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), f"{document}: {module}"
            elif script:
                assert (ROOT / script).is_file(), f"{document}: {script}"
        for path in re.findall(r"`?\b((?:tests|benchmarks|examples/trainers)/[a-z_/]+\.[a-z]+)", text):
            assert (ROOT / path).exists(), f"{document}: {path}"


def test_targets_of_make_and_extras_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for document, text in TEXTS.items():
        named = re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.MULTILINE)
        assert set(named) <= targets, document
        for listed in re.findall(r"pip install [^\n`]*?\[([a-z,]+)\]", text):
            assert set(listed.split(",")) <= set(extras), f"{document}: {listed}"
