"""TOML files that users write: recipes and configurations."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from audit.storage.bounded import MIB, read_text
from probes.errors import InputError
from reports.plain import must_be_plain

LARGEST = MIB
"""Of a file that a person writes. Deeper or longer ones take the parser minutes."""


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """Raises `error`, in one line, where the file cannot be read, is no TOML, or is nested beyond reason."""
    content = parse_toml(read_text(path, LARGEST, error), str(path), error)
    must_be_plain(content, str(path), error)
    return content


def parse_toml(text: str, where: str, error: type[InputError]) -> dict[str, Any]:
    """Raises `error` in one line."""
    if max((line.count(".") + line.count("[") for line in text.splitlines()), default=0) > DEEPEST_LINE:
        raise error(f"is nested more than {DEEPEST_LINE} deep.", where=where)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise error("is nested too deep.", where=where) from None
    except ValueError as wrong:  # a number of thousands of digits is none of TOML's own errors
        raise error(f"is not TOML: {str(wrong)[:200]}.", where=where) from None


DEEPEST_LINE = 2000
"""Dots and brackets of a line: a key of more parts makes as many tables in each other."""
