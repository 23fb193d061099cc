"""The code that builds a network, kept beside its weights: an audit can then build it again without further input."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any

from audit.storage.atomic import write
from audit.storage.function_digest import project_files

FOLDER, FILE = "audit_code", "audited_network.py"
FACTORY = '''"""Builds the audited network; written with the audit record."""

from pathlib import Path

from audit.runtime.user_code import load_file

CODE = {code}


def network(**arguments):
    return load_file(Path(__file__).with_name({file!r})).{kind}(**arguments){attribute}
'''


@dataclass(frozen=True, kw_only=True)
class NetworkCode:
    """`source` is a recipe's [source], empty if the network cannot be built again; `missing` says why not. `digests`
    are those of the copied files, by their paths in the folder."""

    source: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    missing: str = ""


def keep_code(kind: type, arguments: Mapping[str, object], attribute: str, folder: Path) -> NetworkCode:
    """Copies the file of a class, and the project files that it imports, into `folder`, with a function that builds its
    network from the arguments of the class: an instance, or its `attribute` if that is given."""
    chosen = {name: value for name, value in arguments.items() if name in inspect.signature(kind).parameters}
    if reason := _unfit(kind, chosen):
        return NetworkCode(missing=reason)
    digests = _copied(Path(_file_of(kind)), kind.__name__, f".{attribute}" if attribute else "", folder)
    source = {"model": f"{FOLDER}.{FILE.removesuffix('.py')}:network", "options": chosen}
    return NetworkCode(source=source, digests=digests)


def keep_function(name: str, root: Path, folder: Path) -> NetworkCode:
    """The same for a recipe's `module:function`, whose file is in `root`; a function of an installed package needs no
    copy."""
    module, _, function = name.partition(":")
    file = root / f"{module.replace('.', '/')}.py"
    if not function.isidentifier() or not file.is_file():
        return NetworkCode()
    if trains_when_imported(file):
        return NetworkCode(missing=_trains(file))
    digests = _copied(file, function, "", folder)
    return NetworkCode(source={"model": f"{FOLDER}.{FILE.removesuffix('.py')}:network"}, digests=digests)


def _copied(file: Path, name: str, attribute: str, folder: Path) -> dict[str, str]:
    """Digests of the copies of a file and of the project files that it imports, and of the function that calls `name`
    in the copy."""
    file, own = file.resolve(), folder / FOLDER
    digests = {}
    for one in project_files(file)[0]:
        place = own / (one.relative_to(file.parent) if one.is_relative_to(file.parent) else one.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.resolve() != one:
            shutil.copyfile(one, place)
        digests[place.relative_to(folder).as_posix()] = hashlib.sha256(place.read_bytes()).hexdigest()
    content = FACTORY.format(
        code=json.dumps(digests, indent=4, sort_keys=True),
        file=file.name,
        kind=name,
        attribute=attribute,
    )
    write(own / FILE, content)
    digests[f"{FOLDER}/{FILE}"] = hashlib.sha256(content.encode()).hexdigest()
    return digests


def _unfit(kind: type, chosen: Mapping[str, object]) -> str:
    """Why the class cannot be built again from a copy of its file; empty if it can."""
    if "." in kind.__qualname__:
        return f"{kind.__name__} is defined inside a function"
    file = _file_of(kind)
    if not Path(file).is_file():
        return f"{kind.__name__} is in no file"
    for name, parameter in inspect.signature(kind).parameters.items():
        named = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if named and name not in chosen and parameter.default is parameter.empty:
            return f"{kind.__name__} needs {name}, which its hyperparameters lack"
    for name, value in chosen.items():
        if not _is_plain(value):
            return f"{kind.__name__} takes {name}, which is a {type(value).__name__}"
    if trains_when_imported(Path(file)):
        return _trains(Path(file))
    return ""


def _trains(file: Path) -> str:
    return f"{file.name} trains when it is imported; put that under if __name__ == '__main__'"


def _file_of(kind: type) -> str:
    """Where its first function was defined, since the module of a class may be under another name; empty if nowhere."""
    codes = (getattr(value, "__code__", None) for value in vars(kind).values())
    return next((code.co_filename for code in codes if isinstance(code, CodeType)), "")


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    return value is None or isinstance(value, bool | int | float | str)


def trains_when_imported(file: Path) -> bool:
    """Whether its top level calls a `fit`, outside functions and conditions."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If)
    top = [one for one in ast.parse(file.read_bytes()).body if not isinstance(one, kinds)]
    calls = [one for line in top for one in ast.walk(line) if isinstance(one, ast.Call)]
    return any(isinstance(one.func, ast.Attribute) and one.func.attr == "fit" for one in calls)
