"""`--set KEY=VALUE`: single values of a recipe or of audit.toml, replaced for one command, in TOML syntax."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.errors import InputError


def overridden(content: Mapping[str, Any], changes: Sequence[str], error: type[InputError]) -> dict[str, Any]:
    """`content` with each change merged into it; later ones win. A word without quotes is a string: transfer=features.

    Raises `error` for anything that is not `KEY=VALUE`, and for a key inside a value that is not a table, which would
    be lost.
    """
    merged = dict(content)
    for change in changes:
        merged = _merged(merged, _read(change, error), change, error)
    return merged


def place(path: Path | str, changes: Sequence[str]) -> str:
    """Where a mistake may be: in the file, or in what overrides it."""
    return " ".join([str(path), *(f"--set {change}" for change in changes)])


def _read(change: str, error: type[InputError]) -> dict[str, Any]:
    key, sign, value = change.partition("=")
    for line in (change, f"{key} = {json.dumps(value.strip())}"):
        try:
            read = tomllib.loads(line)
        except (ValueError, RecursionError):
            continue
        if sign and read and "\n" not in change:
            return read
    raise error(
        "is not of the form KEY=VALUE.", where=f"--set {change}", do="Write it as in TOML: --set train.epochs=5."
    )


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], change: str, error: type[InputError]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        present = merged.get(key)
        if isinstance(value, Mapping) and present is not None:
            if not isinstance(present, Mapping):
                whole = f"--set {key}=..., or --set '{key}={{...}}'"
                raise error(
                    f"{key!r} is {present!r}, not a table.", where=f"--set {change}", do=f"Set all of it: {whole}"
                )
            value = _merged(present, value, change, error)
        merged[key] = value
    return merged
