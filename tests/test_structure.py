"""No circle of files, and sub-packages of audit that import one way."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from probes.probe import PROBES

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("audit.runtime", "audit.config.section", "audit.storage"),
    ("audit.data",),
    ("audit.config",),
    ("audit.models", "audit.trainers.base", "audit.evidence.sequence_answers"),
    ("audit.record",),
    ("audit.training",),
    ("audit.trainers",),
    ("audit.engines",),
    ("audit.checkpoints",),
    ("audit.population",),
    ("audit.pipelines.listener",),
    ("audit.evidence",),
    ("audit.results",),
    ("audit.mitigation", "audit.pipelines"),
    ("audit.api", "audit.results.reproduce"),
    ("audit.self_check",),
    ("audit.cli",),
)
"""From the lowest: each imports what is above it in this list, and itself. A module of its own goes before its
package."""


@cache
def modules() -> dict[str, Path]:
    found = {}
    for package in ("audit", "probes", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def imports() -> dict[str, frozenset[str]]:
    """What each module of ours imports of ours, inside functions and for type checkers too."""
    graph = {}
    for name, path in modules().items():
        found: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                within = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in modules() else node.module for one in within}
        graph[name] = frozenset(found & set(modules()) - {name})
    return graph


def reached(start: str, graph: dict[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph[name]
    return found


def test_no_module_imports_itself_through_others() -> None:
    graph = imports()
    assert len(graph) > 300
    assert [name for name in graph if name in reached(name, graph)] == []


def test_a_circle_would_be_seen() -> None:
    graph = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"a"}), "d": frozenset({"a"})}
    assert [name for name in graph if name in reached(name, graph)] == ["a", "b", "c"]


def layer(module: str) -> int:
    """That of the longest name in the list that the module is or lies in."""
    fitting = [
        (len(one), number)
        for number, names in enumerate(LAYERS)
        for one in names
        if module == one or module.startswith(f"{one}.")
    ]
    return max(fitting)[1] if fitting else len(LAYERS)


def test_sub_packages_of_audit_import_one_way() -> None:
    wrong = [
        f"{name} -> {other}"
        for name, others in imports().items()
        for other in others
        if name.startswith("audit.")
        and other.startswith("audit.")
        and layer(other) >= layer(name)
        and name.split(".")[1] != other.split(".")[1]
    ]
    assert wrong == []


def test_the_four_risks_import_none_of_each_other() -> None:
    risks = ("contamination", "drift", "membership", "overfitting")
    wrong = [
        f"{name} -> {other}"
        for name, others in imports().items()
        for other in others
        if name.startswith("probes.")
        and {name.split(".")[1], other.split(".")[1]} <= set(risks)
        and name.split(".")[1] != other.split(".")[1]
    ]
    assert wrong == []


def test_test_modules_import_none_of_each_other() -> None:
    """What tests share lives in modules for that."""
    wrong = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests."):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                wrong += [f"{path.name}: {one}" for one in names if one.rpartition(".")[2].startswith("test_")]
    assert wrong == []


NAMED = {
    "audit/evidence/predictions.py": "a column of a file may be called membership",
    "reports/legacy_attributes.py": "results of earlier versions do not say what their estimates are",
}
"""Files outside a probe's package that may name it, and why."""


def test_no_other_code_knows_a_probe_by_its_name() -> None:
    """Probes, findings and estimates say what others need to know of them."""
    found = set()
    for package in ("audit", "reports"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            if texts & set(PROBES.names()):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == set(NAMED)


SCREEN = 65


def test_functions_fit_a_screen() -> None:
    """Without their signature and docstring."""
    long = []
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and node.body[-1].end_lineno - body[0].lineno + 1 > SCREEN:  # type: ignore[operator]
                    long.append(f"{name}.{node.name}")
    assert long == []


OWN_JSON = {"audit/config/json_schema.py", "probes/drift/observables/attribution.py"}
"""Read only what this package wrote in the same run."""


def test_json_of_strangers_is_read_where_deep_nesting_is_refused() -> None:
    elsewhere = {
        path.relative_to(ROOT).as_posix()
        for path in modules().values()
        for text in [path.read_text(encoding="utf-8")]
        if "json.loads(" in text.replace("json.loads(json.dumps(", "")
    }
    assert elsewhere - OWN_JSON == {"probes/json_text.py", "reports/validate.py"}
