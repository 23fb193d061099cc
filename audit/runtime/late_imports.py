"""Modules that a library imports only to pass them on."""

from __future__ import annotations

import importlib.util
import sys


def when_used(module: str) -> None:
    """Postpones the import of a submodule until one of its attributes is asked for; nothing if it was imported before,
    or is not there.

    module  a dotted name, whose package is imported here

    >>> when_used("json.tool")
    >>> sys.modules["json.tool"].main.__name__
    'main'
    """
    if module in sys.modules or (spec := importlib.util.find_spec(module)) is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    made = importlib.util.module_from_spec(spec)
    sys.modules[module] = made
    spec.loader.exec_module(made)
    package, _, name = module.rpartition(".")
    setattr(sys.modules[package], name, made)
