"""Figures as pictures: Altair specifications to SVG, and pixel maps to PNG. Only here is anything drawn."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from jaxtyping import UInt8
from PIL import Image

from probes.result import Axis, Chart
from reports.numbers import harmless

WIDTH, HEIGHT = 420, 250
PALETTE = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#475569")


def svg(chart: Chart) -> str:
    """The chart as SVG. Every mark carries its values in an aria-label, for hovering and for screen readers."""
    text: str = vl_convert.vegalite_to_svg(specification(chart))
    # Ids are unique in a chart only; a page holds many.
    safe = re.sub(r"[^a-z0-9-]", "-", chart.name.lower())
    return re.sub(r'(id="|url\(#|href="#)((?:clip|gradient)[\w-]*)', rf"\g<1>{safe}-\g<2>", text)


def specification(chart: Chart) -> dict[str, Any]:
    """The Vega-Lite specification, data inline."""
    columns = {_field(name): list(column) for name, column in chart.columns.items()}
    frame = pd.DataFrame({name: [_cell(value) for value in column] for name, column in columns.items()})
    layers = _layers(chart, alt.Chart(frame))
    drawn = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    content: dict[str, Any] = drawn.configure(
        font="system-ui, sans-serif",
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            grid=True, gridColor="#e2e8f0", domainColor="#94a3b8", tickColor="#94a3b8", labelFontSize=11
        ),
        legend=alt.LegendConfig(orient="top", title=None, labelFontSize=12),
        background="transparent",
    ).to_dict()
    return content


def _layers(chart: Chart, base: Any) -> list[Any]:
    kinds = {name: _kind(column) for name, column in chart.columns.items()}
    x, y = _encode(alt.X, chart.x, kinds), _encode(alt.Y, chart.y, kinds)
    colour: Any = alt.value(PALETTE[0])
    if chart.series:
        colour = alt.Color(f"{_field(chart.series)}:N", scale=alt.Scale(range=list(PALETTE)))
    tooltip = [alt.Tooltip(f"{_field(name)}:{kinds[name]}", title=harmless(name)) for name in chart.columns]
    layers = []
    if chart.diagonal:
        layers.append(_diagonal(chart))
    for name, value in chart.rules.items():
        rule = alt.Chart(pd.DataFrame({"rule": [value], "name": [harmless(name)]}))
        layers.append(rule.mark_rule(strokeDash=[3, 3], color="#64748b").encode(y=alt.Y("rule:Q")))
    if chart.mark == "bars":
        layers.append(
            base.mark_bar(color=PALETTE[0], binSpacing=1).encode(x=x, **_bar_end(chart), y=y, tooltip=tooltip)
        )
        return layers
    offset = {}
    if chart.mark == "interval" and chart.series:
        offset = {"xOffset": alt.XOffset(f"{_field(chart.series)}:N")}
    if chart.low and chart.high:
        ends = {"y": alt.Y(f"{_field(chart.low)}:Q", scale=_scale(chart.y)), "y2": alt.Y2(_field(chart.high))}
        if chart.mark == "line":
            layers.append(base.mark_area(opacity=0.15, interpolate="linear").encode(x=x, color=colour, **ends))
        else:
            layers.append(base.mark_rule(strokeWidth=2).encode(x=x, color=colour, **ends, **offset))
    encoding = {"x": x, "y": y, "color": colour, "tooltip": tooltip, **offset}
    if chart.mark == "line":
        layers.append(base.mark_line(strokeWidth=2).encode(**encoding))
        layers.append(base.mark_circle(size=18, opacity=0.9).encode(**encoding))
    else:
        layers.append(base.mark_circle(size=55, opacity=0.9).encode(**encoding))
    return layers


def _encode(channel: Any, axis: Axis, kinds: dict[str, str]) -> Any:
    kind = "N" if axis.scale == "category" else kinds[axis.column]
    options: dict[str, Any] = {"title": harmless(axis.title)}
    if axis.scale == "category":
        options |= {"sort": None, "axis": alt.Axis(labelAngle=-35, labelLimit=140) if channel is alt.X else alt.Axis()}
    else:
        options["scale"] = _scale(axis)
        options["axis"] = alt.Axis(tickCount=6)
    return channel(f"{_field(axis.column)}:{kind}", **options)


def _scale(axis: Axis) -> Any:
    if axis.scale == "log":
        return alt.Scale(type="log", nice=False, clamp=True)
    return alt.Scale(zero=False)


def _bar_end(chart: Chart) -> dict[str, Any]:
    return {"x2": alt.X2(_field(chart.x_end))} if chart.x_end else {}


def _diagonal(chart: Chart) -> Any:
    values = [float(v) for name in (chart.x.column, chart.y.column) for v in chart.columns[name]]  # type: ignore[arg-type]
    ends = pd.DataFrame({"from": [min(values), max(values)]})
    return (
        alt.Chart(ends)
        .mark_line(strokeDash=[2, 3], color="#64748b")
        .encode(x=alt.X("from:Q", scale=_scale(chart.x)), y=alt.Y("from:Q", scale=_scale(chart.y)))
    )


def _kind(column: Any) -> str:
    return "N" if any(isinstance(value, str) for value in column) else "Q"


def _field(name: str) -> str:
    """Vega-Lite reads dots, brackets and colons in a field's name as paths and types."""
    return re.sub(r"[^\w ]", "_", name)


def _cell(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else value


def png_uri(picture: np.ndarray, least: int = 96) -> str:
    """A picture as a data URI: uint8 images as they are, int8 maps in red (for) and blue (against)."""
    pixels = _signed(picture) if picture.dtype == np.int8 else _rgb(picture)
    image = Image.fromarray(pixels)
    factor = max(1, -(-least // max(image.size)))
    if factor > 1:
        image = image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((192, 192))
    data = io.BytesIO()
    image.save(data, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode("ascii")


def _rgb(picture: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    image = picture if picture.ndim == 3 else picture[..., None]
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3])


def _signed(picture: np.ndarray) -> UInt8[np.ndarray, "height width 3"]:
    """White is nothing; red towards +1, blue towards −1."""
    value = picture.astype(np.float64) / 127
    strength = np.abs(value)[..., None]
    colour = np.where(value[..., None] > 0, np.array([200, 30, 40.0]), np.array([30, 80, 200.0]))
    return np.asarray(np.round(255 * (1 - strength) + colour * strength), dtype=np.uint8)
