"""The code on which a cached result depends: a module's source and that of every module of the same project that it
imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path


def digest_code(module: str, *others: str) -> str:
    """sha256 (hex) over the sources of `module` and of all that it imports, directly or not, from its own top-level
    package and from `others`. A module without a source file is identified by its name.

    >>> len(digest_code("probes.statistics.roc"))
    64
    """
    digest = hashlib.sha256()
    for name, path in sorted(_reached(module, *others).items()):
        digest.update(name.encode())
        if path is not None:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _reached(module: str, *others: str) -> dict[str, Path | None]:
    packages = {module.partition(".")[0], *others}
    found: dict[str, Path | None] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = path = _source(name)
        if path is not None:
            status = path.stat()
            imported = _imported(path, name, (status.st_mtime_ns, status.st_size))
            waiting += [one for one in imported if one.partition(".")[0] in packages]
    return found


def _source(module: str) -> Path | None:
    """The module's file, found without importing its parent packages."""
    package, *inner = module.split(".")
    origin, folders = _package(package, tuple(sys.path))
    if not folders:
        return Path(origin) if origin and not inner else None
    for folder in folders:
        path = Path(folder, *inner)
        for candidate in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if candidate.is_file():
                return candidate
    return None


@cache
def _package(name: str, searched: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Its file, and the folders of its modules; `searched` is sys.path."""
    spec = importlib.util.find_spec(name)
    return (None, ()) if spec is None else (spec.origin, tuple(spec.submodule_search_locations or ()))


@cache
def _imported(path: Path, module: str, edition: tuple[int, int]) -> frozenset[str]:
    """Modules named in import statements anywhere in the file; `from a import b` names a, and a.b if that is a module.
    `edition` distinguishes versions of a file: its modification time and size."""
    found = {module.rpartition(".")[0]} - {""}
    for node in _statements(ast.parse(path.read_bytes()).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            named = _absolute(node, module if path.name == "__init__.py" else module.rpartition(".")[0])
            found.add(named)
            found |= {one for alias in node.names if _source(one := f"{named}.{alias.name}") is not None}
    return frozenset(found)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that an import in a module of `package` names: `from ..a import b` is relative to its parent."""
    if not node.level:
        return node.module or ""
    above = package.rsplit(".", node.level - 1)[0]
    return f"{above}.{node.module}" if node.module else above


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Import statements of the block and of nested blocks. Expressions, nine tenths of a tree, cannot contain
    imports."""
    for node in block:
        yield node
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(node, inner, ()))
