"""The code on which a cached result depends: a module's source and that of every module of the same project that it
imports."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator
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


def digest_packages(*packages: str) -> str:
    """sha256 (hex) over every source file of these packages and of the packages in them: for results that depend on
    much of their code, and are quickly made again.

    >>> len(digest_packages("probes.statistics"))
    64
    """
    digest = hashlib.sha256()
    for name in packages:
        spec = importlib.util.find_spec(name)
        for folder in sorted(spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).rglob("*.py")):
                digest.update(os.fsencode(path.relative_to(folder).as_posix()))
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
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = {module.rpartition(".")[0]} - {""}
    for base, names, plain in _statements(path.read_bytes()):
        found |= {one.split()[0] for one in plain.split(",") if one.strip()}
        if base:
            named = _absolute(base, package)
            aliases = (one.split()[0] for one in names.strip("()").split(",") if one.strip())
            found.add(named)
            found |= {one for alias in aliases if _source(one := f"{named}.{alias}") is not None}
    return frozenset(found)


def _absolute(base: str, package: str) -> str:
    """The module that an import in a module of `package` names: `from ..a import b` is relative to its parent."""
    name = base.lstrip(".")
    level = len(base) - len(name)
    if not level:
        return name
    above = package.rsplit(".", level - 1)[0]
    return f"{above}.{name}" if name else above


NAMED = r"from\b[ \t]*(\.*[ \t]*[\w.]*)[ \t]*\bimport\b[ \t]*(\([^)]*\)|[^\n;]*)"
PLAIN = r"import[ \t]+([^\n;]*)"
STATEMENT = re.compile(rf"(?:^|[;:])[ \t]*(?:{NAMED}|{PLAIN})", re.MULTILINE)


def _statements(source: bytes) -> Iterator[tuple[str, str, str]]:
    """(module, names, "") or ("", "", modules) of import statements, found by their form: parsing the file would take
    twenty times as long. Lines of a docstring that look like imports are among them, so that a digest depends on more
    than it must, never on less."""
    text = re.sub(r"#[^\n]*", "", source.decode("utf-8", errors="replace").replace("\\\n", " "))
    for base, names, plain in STATEMENT.findall(text):
        yield base.replace(" ", ""), names, plain
