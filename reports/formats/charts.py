"""Charts as data become charts as pictures: a Vega-Lite specification, and its SVG. Nothing of it runs in the page.

The SVG is drawn once, where the report is written: the page needs no plotting library (0.9 MB) and no `unsafe-eval`,
and prints, mails and reads as it is. Colours are ten fixed ones that the page's style sheet replaces by theme.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import vl_convert

from probes.result import Axis, Chart
from probes.texts import said
from reports.wording.numbers import harmless, number

WIDTH, HEIGHT, ROW = 330, 220, 24
LETTER, IDEOGRAPH, SYMBOL = 6.8, 12.5, 28
"""Widths at 12 px, for what is laid out before anything is drawn: of a letter, of a Chinese one, and of a legend's
symbol with the space after it."""
NAMED = 28
"""Names of two lines keep this distance."""
SERIES = ("#3b6fe0", "#d9730d", "#0f9d76", "#9250d6", "#d6336c", "#64748b")
INK, QUIET, GRID, PAPER = "#1c2430", "#5b6778", "#e3e8ef", "#ffffff"
FONT = "ui-sans-serif, system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Noto Sans CJK SC, sans-serif"
SAID = "what this mark says"
MOST_ROWS, MOST_POINTS = 30, 400
"""Of a chart's categories and of a series' points: a report does not grow with the data."""
COORDINATES, LONG = "d|transform|viewBox|width|height|[xy][12]?|[cr][xy]|r", re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True, kw_only=True)
class Thinned:
    """A chart small enough to draw, and of how many rows how many are left."""

    chart: Chart
    shown: int
    of: int


def thin(chart: Chart) -> Thinned:
    """Of categories the ones with the largest values in their order; of numeric points evenly spaced ones a series."""
    rows = len(next(iter(chart.columns.values()), ()))
    keep = list(range(rows))
    if chart.mark == "interval" or chart.x.scale == "category":
        names = chart.columns[chart.x.column]
        top: dict[Any, float] = {}
        for name, value in zip(names, chart.columns[chart.y.column], strict=True):
            top[name] = max(top.get(name, -float("inf")), float(value) if isinstance(value, int | float) else 0.0)
        chosen = set(
            sorted(top, key=lambda name: -top[name])[: MOST_ROWS if chart.mark == "interval" else 4 * MOST_ROWS]
        )
        keep = [i for i in keep if names[i] in chosen]
    else:
        groups: dict[Any, list[int]] = {}
        for i in keep:
            groups.setdefault(chart.columns[chart.series][i] if chart.series else None, []).append(i)
        keep = sorted(i for group in groups.values() for i in _spread(group))
    if len(keep) == rows:
        return Thinned(chart=chart, shown=rows, of=rows)
    columns = {name: [column[i] for i in keep] for name, column in chart.columns.items()}
    return Thinned(chart=dataclasses.replace(chart, columns=columns), shown=len(keep), of=rows)


def _spread(group: Sequence[int]) -> list[int]:
    if len(group) <= MOST_POINTS:
        return list(group)
    return [group[round(i * (len(group) - 1) / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]


def svg(chart: Chart, background: str = "transparent") -> str:
    """The chart as SVG. Every mark carries its values in an aria-label, for hovering and for screen readers."""
    text = _drawn(_Key(chart))
    if background != "transparent":
        opened, _, rest = text.partition(">")
        width, height = (re.search(f' {side}="([^"]*)"', opened) for side in ("width", "height"))
        assert width
        assert height
        text = f'{opened}><rect width="{width[1]}" height="{height[1]}" fill="{background}"/>{rest}'
    # Ids are unique in a chart only; a page holds many.
    safe = re.sub(r"[^a-z0-9-]", "-", chart.name.lower())
    return re.sub(r'(id="|url\(#|href="#)((?:clip|gradient)[\w-]*)', rf"\g<1>{safe}-\g<2>", text)


def png(chart: Chart, scale: float = 2.0) -> bytes:
    """The same drawing on white as pixels, `scale` of them to a unit of the SVG."""
    drawn: bytes = vl_convert.svg_to_png(svg(chart, "white"), scale=scale)
    return drawn


@dataclass(frozen=True)
class _Key:
    """A chart as a key: equal where the charts are."""

    chart: Chart

    def __hash__(self) -> int:
        return hash(self.chart.name)


@lru_cache(maxsize=256)
def _drawn(key: _Key) -> str:
    """Without a ground: the page and the file beside the text take the same drawing, a tenth of a second's work."""
    specified = specification(thin(key.chart).chart) | {"background": "transparent"}
    text: str = vl_convert.vegalite_to_svg(json.dumps(specified, sort_keys=True))
    # Coordinates with sixteen digits are half the file; a hundredth of a pixel is not seen. What is read stays whole.
    return re.sub(f'( (?:{COORDINATES})=")([^"]*)', lambda found: found[1] + LONG.sub(r"\1", found[2]), text)


def specification(chart: Chart) -> dict[str, Any]:
    """The Vega-Lite specification, data inline."""
    columns = {_field(name): [_cell(value) for value in column] for name, column in chart.columns.items()}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    titles = {axis.column: said(axis.title) for axis in (chart.x, chart.y)}
    for row, values in zip(rows, zip(*chart.columns.values(), strict=True), strict=True):
        row[SAID] = _said([titles.get(name, name) for name in chart.columns], values)
    base = alt.Chart(alt.InlineData(values=rows))
    layers = _intervals(chart, base) if chart.mark == "interval" else _layers(chart, base)
    drawn = alt.layer(*layers).properties(
        width=_width(chart), height=_height(chart), autosize=alt.AutoSizeParams(type="pad")
    )
    content: dict[str, Any] = drawn.configure(
        font=FONT,
        padding={"left": 12 if chart.mark == "interval" else 2, "right": 8, "top": 2, "bottom": 2},
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            gridColor=GRID, domainColor=QUIET, domainOpacity=0.5, ticks=False, labelPadding=6, titlePadding=10,
            labelColor=QUIET, titleColor=QUIET, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
        ),
        legend=alt.LegendConfig(
            orient="top", title=None, labelFontSize=12, labelColor=INK, symbolSize=70, labelLimit=220, offset=10,
            columnPadding=14, symbolOpacity=1, columns=_legend_columns(chart),
        ),
    ).to_dict(validate=False)  # fmt: skip
    return content


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


def _layers(chart: Chart, base: Any) -> list[Any]:
    x, y = _encode(alt.X, chart.x, _domain(chart, "x")), _encode(alt.Y, chart.y, _domain(chart, "y"))
    colour, said = _colour(chart), alt.Description(f"{SAID}:N")
    layers = _references(chart, "y")
    if chart.mark == "bars":
        end = {"x2": alt.X2(_field(chart.x_end)), "y2": alt.Y2Datum(0)} if chart.x_end else {}
        bar = base.mark_bar(binSpacing=1.5, cornerRadiusEnd=2)
        return [*layers, bar.encode(x=x, y=y, color=colour, description=said, **end)]
    if chart.low and chart.high:
        ends = {"y": _raised(chart), "y2": alt.Y2(_field(chart.high))}
        mark = base.mark_area(opacity=0.16, clip=True) if chart.mark == "line" else base.mark_rule(strokeWidth=2)
        layers.append(mark.encode(x=x, color=colour, **ends))
    encoding = {"x": x, "y": y, "color": colour, "description": said}
    if chart.mark == "line":
        dense = len(next(iter(chart.columns.values()), ())) > 60
        layers.append(base.mark_line(strokeWidth=2, clip=True, strokeJoin="round").encode(**encoding))
        layers.append(base.mark_circle(size=9 if dense else 34, opacity=1).encode(**encoding))
    else:
        layers.append(base.mark_circle(size=46, opacity=0.75).encode(**encoding))
    return layers


def _intervals(chart: Chart, base: Any) -> list[Any]:
    """A row a category, read like a forest plot: long names stay level and any number of rows is legible."""
    y = alt.Y(f"{_field(chart.x.column)}:N", title=None, sort=None, axis=alt.Axis(labelLimit=170, domain=False))
    x = _encode(alt.X, chart.y, _domain(chart, "y"))
    offset = {"yOffset": alt.YOffset(f"{_field(chart.series)}:N", sort=None)} if chart.series else {}
    colour, said = _colour(chart), alt.Description(f"{SAID}:N")
    layers = _references(chart, "x")
    if chart.low and chart.high:
        low = _encode(alt.X, dataclasses.replace(chart.y, column=chart.low), _domain(chart, "y"))
        ends = {"x": low, "x2": alt.X2(_field(chart.high))}
        layers.append(base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(y=y, color=colour, **ends, **offset))
    layers.append(base.mark_circle(size=56, opacity=1).encode(x=x, y=y, color=colour, description=said, **offset))
    return layers


def _colour(chart: Chart) -> Any:
    if not chart.series:
        return alt.value(SERIES[0])
    names = list(dict.fromkeys(_cell(name) for name in chart.columns[chart.series]))
    colours = [SERIES[i % len(SERIES)] for i in range(len(names))]
    return alt.Color(f"{_field(chart.series)}:N", scale=alt.Scale(domain=names, range=colours))


def _said(names: Sequence[str], values: Sequence[Any]) -> str:
    """What a mark says to the pointer and to a screen reader: a line a column."""
    said = (number(float(value)) if isinstance(value, int | float) else harmless(value) for value in values)
    return "; ".join(f"{harmless(name)}: {one}" for name, one in zip(names, said, strict=True))


def _references(chart: Chart, along: str) -> list[Any]:
    layers = []
    if chart.diagonal:
        low, high = _domain(chart, "x") or _range(chart, "x")
        other = _domain(chart, "y") or _range(chart, "y")
        ends = [{"at": max(low, other[0])}, {"at": min(high, other[1])}]
        line = alt.Chart(alt.InlineData(values=ends)).mark_line(strokeDash=[2, 4], color=QUIET, clip=True)
        layers.append(
            line.encode(
                x=_encode(alt.X, dataclasses.replace(chart.x, column="at"), _domain(chart, "x")),
                y=_encode(alt.Y, dataclasses.replace(chart.y, column="at"), _domain(chart, "y")),
            )
        )
    moved = _moved(chart) if along == "y" else {}
    for name, value in chart.rules.items():
        lines = [" ".join(_rule_lines(name, value))] if along == "x" else _rule_lines(name, value)
        rule = alt.Chart(alt.InlineData(values=[{"rule": value, "name": lines}]))
        axis = _encode(alt.X if along == "x" else alt.Y, dataclasses.replace(chart.y, column="rule"), None)
        where = {along: axis}
        layers.append(rule.mark_rule(strokeDash=[4, 4], color=QUIET).encode(**where))
        layers.append(_named(chart, rule, along, where, moved.get(name, 0.0)))
    return layers


def _rule_lines(name: str, value: float) -> list[str]:
    return [harmless(name), number(value)]


def _named(chart: Chart, rule: Any, along: str, where: dict[str, Any], moved: float) -> Any:
    """A rule's name where no point lies: above the plot, or beside it."""
    if along == "x":
        words = rule.mark_text(color=QUIET, fontSize=11, baseline="bottom", dy=-4)
        return words.encode(text="name:N", y=alt.value(0), **where)
    words = rule.mark_text(color=QUIET, fontSize=11, align="left", baseline="middle", dx=5, dy=moved - 6, lineHeight=13)
    return words.encode(text="name:N", x=alt.value(_width(chart)), **where)


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


def _raised(chart: Chart) -> Any:
    """The band's lower edge: on a logarithmic axis zero has no place, so it goes to the axis' end."""
    domain = _domain(chart, "y")
    return _encode(alt.Y, dataclasses.replace(chart.y, column=chart.low or ""), domain)


def _encode(channel: Any, axis: Axis, domain: tuple[float, float] | None) -> Any:
    options: dict[str, Any] = {"title": harmless(said(axis.title))}
    kind = "N" if axis.scale == "category" else "Q"
    across = channel is alt.X
    if axis.scale == "category":
        options |= {
            "sort": None,
            "axis": alt.Axis(labelAngle=0, labelLimit=90, labelOverlap="greedy", labelSeparation=8, grid=False),
        }
    else:
        options["scale"] = _scale(axis, domain)
        ticks: dict[str, Any] = {
            "tickCount": 4,
            "labelOverlap": True,
            "labelSeparation": 6,
            "grid": not across,
            "labelFlush": False,
        }
        if axis.scale == "log":
            ticks["format"] = "~g"
        options["axis"] = alt.Axis(**ticks)
    return channel(f"{_field(axis.column)}:{kind}", **options)


def _scale(axis: Axis, domain: tuple[float, float] | None) -> Any:
    if axis.scale == "log":
        ends: dict[str, Any] = {"domain": list(domain)} if domain else {}
        return alt.Scale(type="log", nice=False, clamp=True, **ends)
    return alt.Scale(zero=False, nice=True)


def _domain(chart: Chart, which: str) -> tuple[float, float] | None:
    """From the smallest positive value of a logarithmic axis to its largest; other axes find theirs themselves."""
    axis = chart.x if which == "x" else chart.y
    return _range(chart, which) if axis.scale == "log" else None


def _range(chart: Chart, which: str) -> tuple[float, float]:
    axis = chart.x if which == "x" else chart.y
    values = [float(v) for v in chart.columns[axis.column] if isinstance(v, int | float) and v == v]
    if axis.scale == "log":
        values = [value for value in values if value > 0]
    return (min(values, default=0.01), max(values, default=1.0))


def _field(name: str | None) -> str:
    """Vega-Lite reads dots, brackets and colons in a field's name as paths and types."""
    return re.sub(r"[^\w ]", "_", name or "")


def _cell(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value
