"""Text for programs that execute what looks like a formula."""

from __future__ import annotations

from probes.errors import one_line


def cell(value: object) -> object:
    """A text for spreadsheets: one that begins like a formula is quoted, so that it is not executed."""
    if not isinstance(value, str):
        return value
    clean = one_line(value)
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
