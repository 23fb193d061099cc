"""Text for programs that run what looks like a formula."""

from __future__ import annotations

from probes.errors import one_line


def cell(value: object) -> object:
    """A text as a spreadsheet shows it: one that begins like a formula is quoted, so that it is not run."""
    if not isinstance(value, str):
        return value
    clean = one_line(value)
    return f"'{clean}" if clean[:1] in ("=", "+", "-", "@") else clean
