"""The outline as one self-contained HTML file: works offline, makes no network requests, and runs no foreign script."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from probes.result import Chart, Gallery, Sentence, Sentences, Table
from probes.texts import said
from reports.document.outline import outline
from reports.formats.base import Format
from reports.formats.charts import svg, thin
from reports.formats.data_uri import uri
from reports.formats.tables import cells, length
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import capitalized, harmless, harmless_long, unbroken

LONGEST_WORD = 18
"""Columns of text that a cell takes without a line break."""
SHADES = 4
"""Of each colour, from next to nothing to the heaviest word."""
TABLE_ROWS, TILES, TILE_BYTES = 300, 24, 400_000
"""Largest number of rows of a table and of a gallery; a gallery of large images has fewer, so that the page stays
below two megabytes."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A row of a gallery in display form."""

    title: str
    pictures: tuple[str, ...]
    """Data URIs."""


def render(report: Report, *, lang: str = "en", thumbnails: bool = True) -> str:
    """The page. Without `thumbnails`, it contains no image of a sample."""
    document = outline(report, lang)
    running = printed_edges(document.title, *(value for _, value in document.run))
    return page("report.html", document.words, running, document=document, thumbnails=thumbnails)


def printed_edges(*names: str) -> str:
    """Style that prints the audit's identity and the page number at the foot of every page.

    Characters of names that would need escaping in a style sheet are removed.
    """
    named = " · ".join(re.sub(r"[^\w .,:+/()（）-]", " ", name) for name in names)
    number = 'counter(page) " / " counter(pages)'
    return f'@page{{@bottom-left{{content:"{named}"}}@bottom-right{{content:{number}}}}}'


def page(template: str, say: Words, running: str = "", **fields: object) -> str:
    """A self-contained page in the style of the report; `running` is style for this page only."""
    style, script = asset("report.css") + running, asset("report.js")
    return _environment().get_template(template).render(
        say=say,
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        **fields,
    )  # fmt: skip


def policy(style: str, script: str) -> str:
    """Allows scripts and styles only by their hashes, images from the page itself, and nothing from anywhere else.

    Style attributes occur in the charts' SVG, so they are allowed; they cannot load anything.
    """
    return (
        "default-src 'none'; img-src data:; "
        f"style-src-elem '{_hash(style)}'; style-src-attr 'unsafe-inline'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode("ascii")


@cache
def asset(name: str) -> str:
    return (files("reports") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=unbroken,
    )
    environment.tests["chart"] = lambda figure: isinstance(figure, Chart)
    environment.tests["table"] = lambda figure: isinstance(figure, Table)
    environment.tests["gallery"] = lambda figure: isinstance(figure, Gallery)
    environment.tests["sentences"] = lambda figure: isinstance(figure, Sentences)
    environment.tests["prose"] = _prose
    environment.filters["shaded"] = _shaded
    environment.filters["svg"] = lambda chart: Markup(svg(chart))
    environment.filters["rows"] = lambda table: cells(table, TABLE_ROWS)
    environment.filters["harmless"] = harmless
    environment.filters["sentence"] = harmless_long
    environment.filters["capitalized"] = capitalized
    environment.filters["thin"] = thin
    environment.filters["unbroken_parts"] = _parts
    environment.filters["with_options"] = _with_options
    environment.filters["name_parts"] = _name_parts
    environment.filters["tiles"] = _tiles
    environment.filters["signed"] = lambda gallery: any(p.dtype == "int8" for row in gallery.rows for p in row.pictures)
    environment.filters["length_of"] = length
    return environment


def _prose(cell: str) -> bool:
    """Whether a table's cell is broken into lines; Chinese characters are twice as wide."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in cell) > LONGEST_WORD


def _parts(command: str) -> list[str]:
    """Breaks a command before an option or a following command, not between an option and its value."""
    return re.split(r" (?=-|&&)", command)


def _name_parts(name: str) -> list[str]:
    """Where a column's name may be broken: after a dot or an underscore."""
    return re.split(r"(?<=[._])", name)


OPTION = re.compile(r"(--[a-z][a-z-]*(?: (?:[a-z_.]+=[\w.]+|[A-Z]+\b))?)")


def _with_options(text: str) -> Markup:
    """The text, its command-line options with their values each kept on one line."""
    parts = OPTION.split(str(unbroken(text)))
    return Markup("").join(Markup('<span class="option">{}</span>').format(part) if OPTION.fullmatch(part) else part
                           for part in parts)  # fmt: skip


def _tiles(gallery: Gallery) -> list[Tile]:
    tiles: list[Tile] = []
    size = 0
    for row in gallery.rows[:TILES]:
        tile = Tile(title=said(row.title), pictures=tuple(uri(picture) for picture in row.pictures))
        size += sum(map(len, tile.pictures))
        if tiles and size > TILE_BYTES:
            break
        tiles.append(tile)
    return tiles


def _shaded(row: Sentence, heading: int) -> list[tuple[str, str]]:
    """Words with the class of their colour: one of four shades for or against; none where they weigh next to
    nothing."""
    levels = [round(int(weight) / 127 * SHADES) for weight in row.weights[heading]]
    shades = [f"{'for' if level > 0 else 'against'}{abs(level)}" if level else "" for level in levels]
    return list(zip(row.words, shades, strict=True))


FORMAT = Format.of_text(
    "report.html", lambda report, style: render(report, lang=style.lang, thumbnails=style.thumbnails)
)
