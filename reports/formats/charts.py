"""Renders charts: from data to a Vega-Lite specification and its SVG. No chart code runs in the page.

The SVG is drawn once, when the report is written: the page needs no plotting library (0.9 MB) and no `unsafe-eval`, and
can be printed, mailed and read as it is. Colours are ten fixed ones that the page's style sheet replaces by theme.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache

import vl_convert

from probes.result import Chart
from reports.formats.address_space import must_be_drawable
from reports.formats.vega_lite import MEASURED, specification

FONT = "ui-sans-serif, system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, Noto Sans CJK SC, sans-serif"
MOST_ROWS, MOST_POINTS = 30, 400
"""Limits for a chart's categories and a series' points, so that a report does not grow with the data."""
IDS = re.compile(r'(id="|url\(#|href="#)(clip|gradient)([\w-]*)')
COORDINATES, LONG = "d|transform|viewBox|width|height|[xy][12]?|[cr][xy]|r", re.compile(r"(\d+\.\d{2})\d+")


@dataclass(frozen=True, kw_only=True)
class Thinned:
    """A chart small enough to draw, and how many of its rows are left."""

    chart: Chart
    shown: int
    of: int


def thin(chart: Chart) -> Thinned:
    """The categories with the largest values, in their order; or evenly spaced points of each series."""
    rows = len(next(iter(chart.columns.values()), ()))
    keep = list(range(rows))
    if chart.mark == "interval" or chart.x.scale == "category":
        names = chart.columns[chart.x.column]
        top: dict[object, float] = {}
        for name, value in zip(names, chart.columns[chart.y.column], strict=True):
            top[name] = max(top.get(name, -float("inf")), float(value) if isinstance(value, int | float) else 0.0)
        chosen = set(
            sorted(top, key=lambda name: -top[name])[: MOST_ROWS if chart.mark == "interval" else 4 * MOST_ROWS]
        )
        keep = [i for i in keep if names[i] in chosen]
    else:
        groups: dict[object, list[int]] = {}
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
    # Ids are unique in a chart only, a page holds many; and Vega's numbers go on from the drawing before.
    drawn = f"{re.sub(r'[^a-z0-9-]', '-', chart.name.lower())}-{zlib.crc32(IDS.sub('', text).encode()):08x}"
    numbers: dict[str, int] = {}

    def named(found: re.Match[str]) -> str:
        return f"{found[1]}{drawn}-{found[2]}{numbers.setdefault(found[2] + found[3], len(numbers))}"

    return IDS.sub(named, text)


def png(chart: Chart, scale: float = 2.0) -> bytes:
    """The same drawing as pixels on white, `scale` pixels per unit of the SVG."""
    drawn: bytes = vl_convert.svg_to_png(svg(chart, "white"), scale=scale)
    return drawn


@dataclass(frozen=True)
class _Key:
    """A chart as a cache key: equal for equal charts."""

    chart: Chart

    def __hash__(self) -> int:
        return hash(self.chart.name)


@lru_cache(maxsize=256)
def _drawn(key: _Key) -> str:
    """Without a background: the page and the file beside the text share the same drawing."""
    specified = specification(thin(key.chart).chart) | {"background": "transparent"}
    text = _by_vega(json.dumps(specified, sort_keys=True))
    text = text.replace(f'font-family="{MEASURED}"', f'font-family="{FONT}"')
    # Coordinates with sixteen digits are half of the file; a hundredth of a pixel is invisible. Texts keep all digits.
    return re.sub(f'( (?:{COORDINATES})=")([^"]*)', lambda found: found[1] + LONG.sub(r"\1", found[2]), text)


_KEPT: ContextVar[MutableMapping[str, str] | None] = ContextVar("kept", default=None)


@contextmanager
def kept(drawings: MutableMapping[str, str]) -> Iterator[None]:
    """Within it, Vega draws only specifications that are not in `drawings`, and these are added: a drawing takes a
    twentieth of a second, the first one of a process half a second."""
    token = _KEPT.set(drawings)
    try:
        yield
    finally:
        _KEPT.reset(token)


def _by_vega(specified: str) -> str:
    """Vega's own SVG of a specification."""
    drawings, key = _KEPT.get(), hashlib.sha256(specified.encode()).hexdigest()
    if drawings is not None and key in drawings:
        return drawings[key]
    must_be_drawable()
    text: str = vl_convert.vegalite_to_svg(specified)
    if drawings is not None:
        drawings[key] = text
    return text
