"""A table's cells as text, for every format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probes.result import Table
from reports.wording.numbers import column, harmless

Cell = tuple[str, bool]
"""The text, and whether it is a number."""


def cells(table: Table, most: int) -> list[list[Cell]]:
    """The first rows, up to a limit."""
    return [list(row) for row in zip(*(_column(values[:most]) for values in table.columns.values()), strict=True)]


def length(table: Table) -> int:
    return len(next(iter(table.columns.values()), ()))


def _column(values: Sequence[Any]) -> list[Cell]:
    floats = any(isinstance(value, float) for value in values)
    if floats and all(value is None or type(value) in (int, float) for value in values):
        return [(text, True) for text in column(values)]
    return [_cell(value) for value in values]


def _cell(value: object) -> Cell:
    if value is None:
        return "–", False
    return (str(value), True) if type(value) is int else (harmless(value), False)
