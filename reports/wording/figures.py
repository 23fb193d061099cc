"""Figures in another language."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from probes.message import Message, Text
from probes.result import Axis, Chart, Scalar, Table

Term = Callable[[Text], str]
"""A term or a message in another language, if it has a text."""

STRANGERS = frozenset({"class", "label", "models say", "copy's label", "group", "column", "feature"})
"""Columns whose cells were named by the data's owner, which are not translated."""


def translated(chart: Chart, term: Term) -> Chart:
    """The chart with axis titles, columns and series in another language."""
    renamed = {name: term(name) for name in chart.columns}
    if len(set(renamed.values())) < len(renamed):
        renamed = {name: name for name in chart.columns}

    def axis(one: Axis) -> Axis:
        return dataclasses.replace(one, column=renamed[one.column], title=term(one.title))

    spoken = {chart.series, chart.x.column if chart.x.scale == "category" else None}
    columns = {
        renamed[name]: [term(str(cell)) for cell in column] if name in spoken else column
        for name, column in chart.columns.items()
    }
    return dataclasses.replace(
        chart,
        columns=columns,
        x=axis(chart.x),
        y=axis(chart.y),
        series=renamed[chart.series] if chart.series else None,
        low=renamed[chart.low] if chart.low else None,
        high=renamed[chart.high] if chart.high else None,
        x_end=renamed[chart.x_end] if chart.x_end else None,
        rules={term(name): value for name, value in chart.rules.items()},
    )


def spoken(table: Table, term: Term) -> Table:
    """The table with headings and cells in another language, except what the data's owner named."""

    def cell(name: str, value: Scalar | Message) -> Scalar | Message:
        spoken = isinstance(value, Message) or (isinstance(value, str) and name not in STRANGERS)
        return term(value) if spoken else value  # type: ignore[arg-type]

    columns = {term(name): [cell(name, value) for value in column] for name, column in table.columns.items()}
    return dataclasses.replace(table, columns=columns)
