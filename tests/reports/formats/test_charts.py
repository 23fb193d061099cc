from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from probes.result import Axis, Chart
from reports.formats.charts import MOST_POINTS, MOST_ROWS, _drawn, specification, svg, thin
from reports.formats.data_uri import signed
from tests.reports.sample import bars, chart, intervals


def column(rows: int) -> list[float]:
    return np.linspace(0.1, 1.0, rows).tolist()


def line(rows: int) -> Chart:
    return Chart(
        name="long",
        mark="line",
        title="Long",
        caption="",
        columns={"x": column(rows), "y": column(rows)},
        x=Axis(column="x", title="x"),
        y=Axis(column="y", title="y"),
    )


def test_a_drawing_does_not_grow_with_the_data() -> None:
    small = thin(line(100_000))
    assert (small.shown, small.of) == (MOST_POINTS, 100_000)
    assert small.chart.columns["x"][0] == pytest.approx(0.1)
    assert small.chart.columns["x"][-1] == pytest.approx(1.0)
    many = dataclasses.replace(
        intervals(),
        columns={"what": [f"class {i}" for i in range(1000)], **dict.fromkeys(("v", "low", "high"), column(1000))},
    )
    assert thin(many).shown == MOST_ROWS
    assert thin(many).chart.columns["what"][-1] == "class 999"


def test_a_small_chart_is_drawn_whole() -> None:
    assert thin(chart()).chart is not None
    assert thin(chart()).shown == thin(chart()).of == 6


def test_long_names_of_rows_have_room_for_a_wider_font() -> None:
    """`<script>alert(1)</script>` was 18 pixels wider in a browser than where it was measured."""
    left = [specification(intervals(name))["config"]["padding"]["left"] for name in ("no", "<script>alert(1)</script>")]
    assert left[0] == 12
    assert left[1] > 18 + 12


def test_bars_stand_on_the_axis() -> None:
    """Ranged in both directions, or a bar is a dash."""
    drawn = svg(bars())
    assert drawn.count('aria-roledescription="bar"') == 2
    assert "samples: 4" in drawn
    layer = specification(bars())["layer"][0]["encoding"]
    assert layer["y2"] == {"datum": 0}
    assert layer["x2"]["field"] == "to"


def test_a_band_that_reaches_zero_leaves_a_logarithmic_axis_alone() -> None:
    zero = dataclasses.replace(chart(), columns={**chart().columns, "low": [0.0] * 6})
    drawn = svg(zero)
    assert "NaN" not in drawn
    ticks = re.findall(r"<text[^>]*>([\d.]+)</text>", drawn)
    assert "1" in ticks
    assert "0.1" in ticks


def test_the_interval_of_a_single_point_is_a_line() -> None:
    columns = {"run": ["today"], "y": [0.5], "low": [0.4], "high": [0.6]}
    alone = Chart(
        name="history",
        mark="line",
        title="One run",
        caption="",
        columns=columns,
        x=Axis(column="run", title="", scale="category"),
        y=Axis(column="y", title="y"),
        low="low",
        high="high",
    )
    assert [layer["mark"]["type"] for layer in specification(alone)["layer"]] == ["rule", "line", "circle"]
    more = dataclasses.replace(alone, columns={name: [*values, *values] for name, values in columns.items()})
    two = dataclasses.replace(more, columns={**more.columns, "run": ["today", "tomorrow"]})
    assert specification(two)["layer"][0]["mark"]["type"] == "area"


def test_ids_of_two_charts_differ() -> None:
    ids = [set(re.findall(r'id="([^"]+)"', svg(chart(name=name)))) for name in ("one", "two")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_a_drawing_is_the_same_after_another_one() -> None:
    first = svg(chart())
    svg(bars())
    _drawn.cache_clear()
    assert svg(chart()) == first


def test_signed_maps_are_red_for_and_blue_against() -> None:
    pixels = signed(np.array([[127, 0, -127]], dtype=np.int8))
    assert pixels[0, 1].tolist() == [255, 255, 255]
    assert pixels[0, 0, 0] > pixels[0, 0, 2]
    assert pixels[0, 2, 2] > pixels[0, 2, 0]


def test_only_coordinates_lose_digits() -> None:
    precise = dataclasses.replace(intervals(), columns={**intervals().columns, "v": [0.3987, 0.6012]})
    drawn = svg(precise)
    assert "value: 0.399" in drawn
    assert not re.search(r' (?:d|transform)="[^"]*\d\.\d{3}', drawn)
