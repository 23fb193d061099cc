"""Python factories that a recipe refers to: `package.module:function`, or `file:function` beside the recipe.

A recipe given by the user is trusted as a script would be. A checkpoint is not: it may come from anywhere, so the code
it refers to runs only if the user allows it.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from probes.errors import CheckpointError, RecipeError, did_you_mean


def load_factory(name: str, folder: Path, *, trust_code: bool, where: str) -> Callable[..., Any]:
    """The function; a file in `folder` takes precedence over an installed package of that name.

    Raises RecipeError if there is none, CheckpointError if code may not run.
    """
    module_name, _, function = name.partition(":")
    if not function or not all(part.isidentifier() for part in (*module_name.split("."), function)):
        raise RecipeError(f"{name!r} does not name a function.", where=where, do="Write package.module:function.")
    if not trust_code:
        raise CheckpointError(
            f"refers to its own code ({name}), which would run on this machine.",
            where=where,
            do="Read that code, then repeat with --trust-code.",
        )
    path = folder / f"{module_name.replace('.', '/')}.py"
    try:
        module = _from_file(path, folder) if path.is_file() else importlib.import_module(module_name)
    except ImportError as error:
        raise RecipeError(
            f"cannot import {module_name!r}: {error}.", where=where, do=f"Install it, or put {path.name} in {folder}."
        ) from error
    try:
        found: Callable[..., Any] = getattr(module, function)
    except AttributeError:
        known = [one for one in vars(module) if not one.startswith("_")]
        raise RecipeError(
            f"{module_name!r} has no {function!r}. {did_you_mean(function, known)}", where=where
        ) from None
    return found


def load_file(path: Path) -> ModuleType:
    """The module of a file; files beside it can be imported by name. Raises whatever the file raises."""
    return _from_file(path, path.resolve().parent)


def _from_file(path: Path, folder: Path) -> ModuleType:
    """Imported once per process for a path and content, under a name that no other recipe's file can have."""
    digest = hashlib.sha256(os.fsencode(path.resolve()) + path.read_bytes()).hexdigest()
    name = f"_recipe_{path.stem}_{digest[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Files of one folder may import each other while they are loaded; installed packages take precedence.
    sys.path.append(str(folder))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(folder))
    return module


def blamed(error: BaseException) -> str | None:
    """The file and line of the user's code that raised: the innermost frame that is neither ours nor a library's; None
    if there is none.

    >>> blamed(ValueError("raised nowhere")) is None
    True
    """
    if isinstance(error, SyntaxError) and error.filename and _users(error.filename):
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _users(frame.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def described(error: BaseException) -> str:
    """Type and message, or the type alone.

    >>> described(AssertionError()), described(KeyError("x"))
    ('AssertionError', "KeyError: 'x'")
    """
    return f"{type(error).__name__}: {error}".strip().rstrip(":.")


def _users(filename: str) -> bool:
    if filename.startswith("<"):
        return False
    path, own = Path(filename).resolve(), Path(__file__).resolve().parents[2]
    ours = [own / name for name in ("audit", "probes", "reports")]
    libraries = [Path(place).resolve() for place in sysconfig.get_paths().values()]
    known = (*ours, *libraries, *(Path(place).resolve() for place in sys.path if "-packages" in place))
    return path != Path(sys.argv[0]).resolve() and not any(path.is_relative_to(place) for place in known)
