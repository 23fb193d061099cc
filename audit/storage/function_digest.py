"""What a user's function depends on: its file and the project files that it imports, the values that it closes over,
and the versions of its packages."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType

import cloudpickle
import numpy as np

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


def digest_function(function: object) -> str:
    """sha256 (hex) of everything except the arguments that determines a function's results: its source or, without one,
    its bytecode; its file and the project files that it imports; values in its closure, defaults and globals; and the
    versions of the packages it imports.

    >>> def rate(lr): return lambda epoch: lr / epoch
    >>> digest_function(rate(0.1)) == digest_function(rate(0.1)), digest_function(rate(0.1)) == digest_function(rate(1))
    (True, False)
    """
    return digest_value(function)


def digest_factory(name: str, folder: Path) -> str:
    """sha256 (hex) of the code of a factory that a recipe names: its file in the recipe's folder, else its module's if
    that is loaded, the project files that this imports, and the versions of packages; else only the name."""
    module_name = name.partition(":")[0]
    beside = folder / f"{module_name.replace('.', '/')}.py"
    loaded = getattr(sys.modules.get(module_name), "__file__", None)
    path = beside if beside.is_file() else Path(loaded) if loaded else None
    if path is None:
        return name
    if _installed(path):
        return f"{name} {_version_of(module_name)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    return _digest_project(path, path.stat().st_mtime_ns)


@functools.cache
def _digest_project(path: Path, modified: int) -> str:
    """`modified` distinguishes versions of the file; those that it imports are imported once per process."""
    digest = hashlib.sha256()
    for part in _of_file(path):
        digest.update(part + b"\x1f")
    return digest.hexdigest()


def digest_value(value: object) -> str:
    """sha256 (hex) of a value that code depends on: by its content if it is a plain value, otherwise by its pickle."""
    digest = hashlib.sha256()
    for part in _described(value, {}):
        digest.update(part)
        digest.update(b"\x1f")
    return digest.hexdigest()


def _described(value: object, seen: dict[int, object]) -> Iterator[bytes]:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield repr(value).encode()
        return
    if id(value) in seen:
        yield b"again"
        return
    seen[id(value)] = value  # kept, since the number of a value that is gone may become another's
    if isinstance(value, ModuleType):
        yield f"{value.__name__} {_version_of(value.__name__)}".encode()
    elif isinstance(value, functools.partial):
        yield from _described([value.func, value.args, value.keywords], seen)
    elif isinstance(value, MethodType):
        yield from _described([value.__func__, value.__self__], seen)
    elif isinstance(value, FunctionType):
        yield from _of_function(value, seen)
    elif isinstance(value, type):
        yield from _of_class(value, seen)
    elif isinstance(value, list | tuple):
        yield type(value).__name__.encode()
        for one in value:
            yield from _described(one, seen)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _described([str(key), one], seen)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    else:
        yield from _described(type(value), seen)
        yield from _pickled(value)


def _pickled(value: object) -> Iterator[bytes]:
    """Values that cannot be pickled are identified only by their type; pickles with a memory address would never be
    equal again."""
    try:
        yield cloudpickle.dumps(value)
    except Exception:
        yield b"cannot be pickled"


def _of_function(function: FunctionType, seen: dict[int, object]) -> Iterator[bytes]:
    code = function.__code__
    yield function.__qualname__.encode()
    try:
        yield inspect.getsource(function).encode()
    except (OSError, TypeError):
        yield code.co_code + repr([one for one in code.co_consts if not isinstance(one, CodeType)]).encode()
    path = Path(code.co_filename)
    if path.is_file() and not _installed(path):
        yield from _of_file(path)
    elif _installed(path):
        yield _version_of(function.__module__).encode()
    cells = [_content(cell) for cell in function.__closure__ or ()]
    yield from _described([cells, function.__defaults__, function.__kwdefaults__], seen)
    if _installed(path):
        # A package is identified by its version and its arguments: a decorator holds the function it decorates.
        return
    for name in sorted(set(_names_in(code))):
        if name in function.__globals__:
            yield name.encode()
            yield from _described(function.__globals__[name], seen)


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not yet assigned
        return None


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)


def _of_class(kind: type, seen: dict[int, object]) -> Iterator[bytes]:
    yield f"{kind.__module__}.{kind.__qualname__}".encode()
    path = Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "<none>")
    if not path.is_file() or _installed(path):
        yield _version_of(kind.__module__).encode()
        if path.is_file() or kind.__module__ in sys.builtin_module_names:
            return
    else:
        yield from _of_file(path)
    for name, member in sorted(vars(kind).items()):
        if isinstance(member, FunctionType):
            yield name.encode()
            yield from _described(member, seen)


def _of_file(path: Path) -> Iterator[bytes]:
    """A file, the project files that it imports, and the versions of packages that they import."""
    folder = path.resolve().parent
    files, packages = project_files(path)
    for one in files:
        yield str(one.relative_to(folder)).encode() if one.is_relative_to(folder) else one.name.encode()
        yield one.read_bytes()
    yield json.dumps([[name, _version_of(name)] for name in sorted(packages)]).encode()


def project_files(path: Path) -> tuple[list[Path], set[str]]:
    """A file and the project files that it imports, in the order of their paths; and the packages that they import."""
    folder, packages = path.resolve().parent, set[str]()
    waiting, done = [path.resolve()], set[Path]()
    while waiting:
        one = waiting.pop()
        if one in done:
            continue
        done.add(one)
        try:
            names = _named_imports(one)
        except SyntaxError:  # the importing code reports it
            continue
        for name in names:
            beside = _beside(folder, name)
            waiting += beside
            if not beside:
                packages.add(name.partition(".")[0])
    return sorted(done), packages


def _named_imports(path: Path) -> set[str]:
    """Dotted names in import statements anywhere in the file; for `from a import b`, a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            found |= {base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)} - {""}
    return found


def _beside(folder: Path, name: str) -> list[Path]:
    """Project files that importing this name runs: the module, and its parent packages."""
    parts = name.split(".")
    found = []
    for length in range(1, len(parts) + 1):
        path = folder.joinpath(*parts[:length])
        found += [one for one in (path.with_name(f"{path.name}.py"), path / "__init__.py") if one.is_file()]
    return found


def _installed(path: Path) -> bool:
    return "site-packages" in path.parts or "dist-packages" in path.parts or path.is_relative_to(STANDARD_LIBRARY)


@functools.cache
def _version_of(module: str) -> str:
    """The version of the distribution that a module comes from; none for the standard library and loose files."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return "standard library"
    with contextlib.suppress(PackageNotFoundError):
        return version(top)
    for name in _distributions().get(top, []):  # reads the records of all that is installed
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "none"


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()
