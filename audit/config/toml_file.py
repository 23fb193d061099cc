"""TOML files that users write: recipes and configurations."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from audit.storage.bounded import MIB, read_text
from probes.errors import InputError
from reports.plain import must_be_plain

LARGEST = MIB
"""Limits for a file that a person writes. On deeper or longer ones the parser takes minutes."""


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """Raises `error`, with one line, if the file cannot be read, is not TOML, or is nested too deeply."""
    return toml_of(read_text(path, LARGEST, error), str(path), error)


def toml_of(text: str, where: str, error: type[InputError]) -> dict[str, Any]:
    """The same for a text that has already been read."""
    content = parse_toml(text, where, error)
    must_be_plain(content, where, error)
    return content


def parse_toml(text: str, where: str, error: type[InputError]) -> dict[str, Any]:
    """Raises `error` with one line."""
    if max((line.count(".") + line.count("[") for line in text.splitlines()), default=0) > DEEPEST_LINE:
        raise error(f"is nested more than {DEEPEST_LINE} levels deep.", where=where)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise error("is nested too deeply.", where=where) from None
    except ValueError as wrong:  # a number with thousands of digits raises ValueError instead of TOML's own error
        raise error(f"is not TOML: {str(wrong)[:200]}.", where=where) from None


DEEPEST_LINE = 2000
"""The number of dots and brackets in a line: a dotted key makes that many nested tables."""
