"""The Vega-Lite specification of a chart, its data inline (https://vega.github.io/vega-lite/docs/).

Written out as the JSON that it is: a library that builds it takes half a second to import and as long to build the
charts of a report.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Sequence
from typing import Any, Literal

from probes.result import Axis, Chart
from probes.texts import said
from reports.wording.numbers import harmless, number

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

WIDTH, HEIGHT, ROW = 330, 220, 24
LETTER, IDEOGRAPH, SYMBOL = 6.8, 12.5, 28
"""Widths at 12 px, for what is laid out before anything is drawn: of a letter, of a Chinese one, and of a legend's
symbol with the space after it."""
NAMED = 28
"""Names of two lines keep this distance."""
SERIES = ("#3b6fe0", "#d9730d", "#0f9d76", "#9250d6", "#d6336c", "#64748b")
INK, QUIET, GRID = "#1c2430", "#5b6778", "#e3e8ef"
MEASURED = "sans-serif"
"""The family that texts are laid out with: looking a list of families up takes half of the time of a drawing."""
SAID = "what this mark says"

Json = dict[str, Any]
Side = Literal["x", "y"]


def specification(chart: Chart) -> Json:
    """Layers over the chart's own rows, with the lines it is read against."""
    columns = {_field(name): [_cell(value) for value in column] for name, column in chart.columns.items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    titles = {axis.column: said(axis.title) for axis in (chart.x, chart.y)}
    for row, values in zip(rows, zip(*chart.columns.values(), strict=True), strict=True):
        row[SAID] = _said([titles.get(name, name) for name in chart.columns], values)
    layers = _intervals(chart) if chart.mark == "interval" else _layers(chart)
    return {
        "$schema": SCHEMA,
        "data": {"values": rows},
        "layer": layers,
        "width": _width(chart),
        "height": _height(chart),
        "autosize": {"type": "pad"},
        "config": _style(chart),
    }


def _style(chart: Chart) -> Json:
    return {
        "font": MEASURED,
        "padding": {"left": _left(chart), "right": 8, "top": 2, "bottom": 2},
        "view": {"stroke": None},
        "axis": {
            "gridColor": GRID, "domainColor": QUIET, "domainOpacity": 0.5, "ticks": False, "labelPadding": 6,
            "titlePadding": 10, "labelColor": QUIET, "titleColor": QUIET, "labelFontSize": 12, "titleFontSize": 12,
            "titleFontWeight": "normal",
        },
        "legend": {
            "orient": "top", "title": None, "labelFontSize": 12, "labelColor": INK, "symbolSize": 70,
            "labelLimit": 220, "offset": 10, "columnPadding": 14, "symbolOpacity": 1, "columns": _legend_columns(chart),
        },
    }  # fmt: skip


def _width(chart: Chart) -> int:
    """Less where names stand beside the plot, so that all drawings, and their letters, are of one size."""
    if chart.mark != "interval":
        beside = [line for name, value in chart.rules.items() for line in _rule_lines(name, value)]
        return WIDTH - (round(0.92 * max(map(_letters, beside))) if beside else 0)
    longest = max((_letters(str(_cell(name))) for name in chart.columns[chart.x.column]), default=0)
    return WIDTH + 45 - min(170, round(longest))


def _letters(text: str) -> float:
    """The width of a text in pixels, about."""
    return sum(IDEOGRAPH if ord(letter) > 0x2E7F else LETTER for letter in text)


def _legend_columns(chart: Chart) -> int:
    """As many as fit beside each other, so that a legend is no wider than its chart."""
    names = list(dict.fromkeys(str(_cell(name)) for name in chart.columns[chart.series])) if chart.series else []
    widths = [_letters(name) + SYMBOL for name in names]
    room = min(WIDTH, _width(chart) + 20)
    return max(1, len(widths) if sum(widths) <= room else int(room // max(widths)))


def _height(chart: Chart) -> int:
    if chart.mark != "interval":
        return HEIGHT
    names = len(set(chart.columns[chart.x.column]))
    per = 1 if chart.series is None else max(1, len(set(chart.columns[chart.series])) * 0.62)
    return max(90, round(names * ROW * per))


def _layers(chart: Chart) -> list[Json]:
    place = {"x": _channel("x", chart.x, _domain(chart, "x")), "y": _channel("y", chart.y, _domain(chart, "y"))}
    if chart.mark == "points":
        for axis in place.values():  # no point on the frame
            axis.get("scale", {}).setdefault("padding", 8)
    place["color"] = _colour(chart)
    told = place | {"description": {"field": SAID, "type": "nominal"}}
    layers = _references(chart, "y")
    if chart.mark == "bars":
        ends: Json = {"x2": {"field": _field(chart.x_end)}, "y2": {"datum": 0}} if chart.x_end else {}
        return [*layers, _layer("bar", told | ends, binSpacing=1.5, cornerRadiusEnd=2)]
    if chart.low and chart.high:
        band = place | {"y": _raised(chart), "y2": {"field": _field(chart.high)}}
        area = chart.mark == "line" and len(set(chart.columns[chart.x.column])) > 1  # of one point it has no width
        layers.append(_layer("area", band, opacity=0.16, clip=True) if area else _layer("rule", band, strokeWidth=2))
    if chart.mark == "line":
        dense = len(next(iter(chart.columns.values()), ())) > 60
        layers.append(_layer("line", told, strokeWidth=2, clip=True, strokeJoin="round"))
        layers.append(_layer("circle", told, size=9 if dense else 34, opacity=1))
    else:
        layers.append(_layer("circle", told, size=46, opacity=0.75))
    return layers


def _left(chart: Chart) -> float:
    """Room for names of rows, which a reader's font may draw a fifth wider than the one they were measured in."""
    if chart.mark != "interval":
        return 2.0
    longest = max((_letters(str(name)) for name in chart.columns[chart.x.column]), default=0.0)
    return max(12.0, 0.2 * min(LONGEST_NAME, longest))


LONGEST_NAME = 170
"""Pixels to which the name of a row is cut."""


def _intervals(chart: Chart) -> list[Json]:
    """A row a category, read like a forest plot: long names stay level and any number of rows is legible."""
    axis = {"labelLimit": LONGEST_NAME, "domain": False}
    place: Json = {"y": {"field": _field(chart.x.column), "type": "nominal", "title": None, "sort": None, "axis": axis}}
    place["color"] = _colour(chart)
    if chart.series:
        place["yOffset"] = {"field": _field(chart.series), "type": "nominal", "sort": None}
    layers = _references(chart, "x")
    if chart.low and chart.high:
        low = _channel("x", dataclasses.replace(chart.y, column=chart.low), _domain(chart, "y"))
        ends = {"x": low, "x2": {"field": _field(chart.high)}}
        layers.append(_layer("rule", place | ends, strokeWidth=2.5, opacity=0.55))
    point = {
        "x": _channel("x", chart.y, _domain(chart, "y")),
        "description": {"field": SAID, "type": "nominal"},
    }
    layers.append(_layer("circle", place | point, size=56, opacity=1))
    return layers


def _layer(mark: str, encoding: Json, data: list[Json] | None = None, **look: object) -> Json:
    """Over the chart's rows, or over `data` of its own."""
    own = {} if data is None else {"data": {"values": data}}
    return own | {"mark": {"type": mark} | look, "encoding": encoding}


def _colour(chart: Chart) -> Json:
    if not chart.series:
        return {"value": SERIES[0]}
    names = list(dict.fromkeys(_cell(name) for name in chart.columns[chart.series]))
    colours = [SERIES[i % len(SERIES)] for i in range(len(names))]
    return {"field": _field(chart.series), "type": "nominal", "scale": {"domain": names, "range": colours}}


def _said(names: Sequence[str], values: Sequence[object]) -> str:
    """What a mark says to the pointer and to a screen reader: one line per column."""
    said = (number(float(value)) if isinstance(value, int | float) else harmless(value) for value in values)
    return "; ".join(f"{harmless(name)}: {one}" for name, one in zip(names, said, strict=True))


def _references(chart: Chart, along: Side) -> list[Json]:
    layers = []
    if chart.diagonal:
        low, high = _domain(chart, "x") or _range(chart, "x")
        other = _domain(chart, "y") or _range(chart, "y")
        ends = [{"at": max(low, other[0])}, {"at": min(high, other[1])}]
        place = {
            "x": _channel("x", dataclasses.replace(chart.x, column="at"), _domain(chart, "x")),
            "y": _channel("y", dataclasses.replace(chart.y, column="at"), _domain(chart, "y")),
        }
        layers.append(_layer("line", place, ends, strokeDash=[2, 4], color=QUIET, clip=True))
    moved = _moved(chart) if along == "y" else {}
    for name, value in chart.rules.items():
        lines = [" ".join(_rule_lines(name, value))] if along == "x" else _rule_lines(name, value)
        rule = [{"rule": value, "name": lines}]
        where: Json = {along: _channel(along, dataclasses.replace(chart.y, column="rule"), None)}
        layers.append(_layer("rule", where, rule, strokeDash=[4, 4], color=QUIET))
        layers.append(_named(chart, rule, along, where, moved.get(name, 0.0)))
    return layers


def _rule_lines(name: str, value: float) -> list[str]:
    return [harmless(name), number(value)]


def _named(chart: Chart, rule: list[Json], along: Side, where: Json, moved: float) -> Json:
    """A rule's name where no point lies: above the plot, or beside it."""
    text = {"text": {"field": "name", "type": "nominal"}}
    if along == "x":
        place = where | text | {"y": {"value": 0}}
        return _layer("text", place, rule, color=QUIET, fontSize=11, baseline="bottom", dy=-4)
    place = where | text | {"x": {"value": _width(chart)}}
    look = {"align": "left", "baseline": "middle", "dx": 5, "dy": moved - 6, "lineHeight": 13}
    return _layer("text", place, rule, color=QUIET, fontSize=11, **look)


def _moved(chart: Chart) -> dict[str, float]:
    """By how many pixels names of lines go down or up, where two lines are nearer than two names."""
    values = [*_range(chart, "y"), *chart.rules.values()]
    low, high = min(values), max(values)
    places = sorted((HEIGHT * (high - value) / max(high - low, 1e-12), name) for name, value in chart.rules.items())
    moved = dict.fromkeys(chart.rules, 0.0)
    for (above, upper), (below, lower) in itertools.pairwise(places):
        lacking = NAMED - (below - above)
        if lacking > 0:
            moved[upper] -= lacking / 2
            moved[lower] += lacking / 2
    if not places:
        return moved
    lowest, name = places[-1]
    moved[name] -= max(0.0, lowest + moved[name] + NAMED / 2 - HEIGHT)  # labels of the other axis are below
    return moved


def _raised(chart: Chart) -> Json:
    """The band's lower edge: on a logarithmic axis zero has no place, so it goes to the axis' end."""
    return _channel("y", dataclasses.replace(chart.y, column=chart.low or ""), _domain(chart, "y"))


def _channel(side: Side, axis: Axis, domain: tuple[float, float] | None) -> Json:
    field = {"field": _field(axis.column), "title": harmless(said(axis.title))}
    if axis.scale == "category":
        look = {"labelAngle": 0, "labelLimit": 90, "labelOverlap": "greedy", "labelSeparation": 8, "grid": False}
        return field | {"type": "nominal", "sort": None, "axis": look}
    ticks: Json = {"tickCount": 4, "labelOverlap": True, "labelSeparation": 6, "grid": side == "y", "labelFlush": False}
    if axis.scale == "log":
        ticks["format"] = "~g"
    return field | {"type": "quantitative", "scale": _scale(axis, domain), "axis": ticks}


def _scale(axis: Axis, domain: tuple[float, float] | None) -> Json:
    if axis.scale == "log":
        return {"type": "log", "nice": False, "clamp": True} | ({"domain": list(domain)} if domain else {})
    return {"zero": False, "nice": True}


def _domain(chart: Chart, which: Side) -> tuple[float, float] | None:
    """From the smallest positive value of a logarithmic axis to its largest; other axes find theirs themselves."""
    axis = chart.x if which == "x" else chart.y
    return _range(chart, which) if axis.scale == "log" else None


def _range(chart: Chart, which: Side) -> tuple[float, float]:
    axis = chart.x if which == "x" else chart.y
    values = [float(v) for v in chart.columns[axis.column] if isinstance(v, int | float) and v == v]
    if axis.scale == "log":
        values = [value for value in values if value > 0]
    return (min(values, default=0.01), max(values, default=1.0))


def _field(name: str | None) -> str:
    """Vega-Lite reads dots, brackets and colons in a field's name as paths and types."""
    return re.sub(r"[^\w ]", "_", name or "")


def _cell(value: object) -> object:
    return harmless(value) if isinstance(value, str) else value
