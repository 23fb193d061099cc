"""Plain values from untrusted files: limited in depth and number, and without cycles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.errors import InputError

DEEPEST = 32
MOST = 100_000
LONGEST = 1_000_000
"""Largest number of values, and of characters of one."""


def must_be_plain(value: Any, where: str, error: type[InputError], *, most: int = MOST, longest: int = LONGEST) -> None:
    """Raises `error` for anything but a tree of numbers, strings, lists and tables of a plausible size."""
    level, count, depth = [value], 0, 0
    while level:
        count += len(level)
        if depth > DEEPEST:
            raise error(f"is nested more than {DEEPEST} deep.", where=where)
        below: list[Any] = []
        for one in level:
            if isinstance(one, Mapping):
                below += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple):
                below += one
            elif isinstance(one, str) and len(one) > longest:
                raise error(f"holds a text of {len(one):,} characters.", where=where)
            elif isinstance(one, int) and not isinstance(one, bool) and abs(one) >= 2**63:
                raise error("holds a number of more than 64 bits.", where=where)
            if count + len(below) > most:
                raise error(f"holds more than {most:,} values.", where=where)
        level, depth = below, depth + 1
