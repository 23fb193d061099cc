"""One A4 page for those who sign: the verdict, who ran what and when, the risks, the checks. Made without a browser.

Latin text is set in Helvetica; every other character in STSong-Light, a font included in PDF readers, so that Chinese
needs no font file here. Equal reports give identical bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from reports.document.outline import Document, outline
from reports.formats.base import Format
from reports.report import Report
from reports.wording.numbers import harmless, harmless_long

if TYPE_CHECKING:
    from reportlab.platypus import Flowable, Paragraph

OTHER = "STSong-Light"
COLOURS = {
    "pass": "#1a7f37",
    "fail": "#c0272d",
    "undecided": "#9a6700",
    "error": "#9a6700",
    "waived": "#57606a",
    "no-violation": "#57606a",
}
MARGIN, GAP = 42.0, 6.0
"""In points."""
MOST_CHECKS, LONGEST = 24, 260
SPELLED = str.maketrans({"−": "–", "\u00a0": " ", "\u202f": " ", "\u2009": " "})


def render(report: Report, *, lang: str = "en") -> bytes:
    """The page."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Frame, KeepInFrame

    pdfmetrics.registerFont(UnicodeCIDFont(OTHER))
    document = outline(report, lang)
    width, height = (side - 2 * MARGIN for side in A4)
    held = io.BytesIO()
    canvas = Canvas(held, pagesize=A4, invariant=1, lang="zh-CN" if lang == "zh" else "en")
    canvas.setTitle(harmless(f"{document.words('headline', document.status)} · {document.title}"))
    canvas.setAuthor(f"{harmless(report.tool)} {harmless(report.version)}")
    body = KeepInFrame(width, height, _body(document, width), mode="shrink")
    Frame(MARGIN, MARGIN, width, height, 0, 0, 0, 0).addFromList([body], canvas)
    canvas.setFont("Helvetica", 5.5)
    canvas.drawString(MARGIN, 0.6 * MARGIN, harmless(_footer(report)))
    canvas.showPage()
    canvas.save()
    return held.getvalue()


def _body(document: Document, width: float) -> list[Flowable]:
    from reportlab.platypus import Spacer

    say = document.words
    blocking = [
        _paragraph(
            f"{number}. {risk.title} " + say("ui", "blocked_by", status=say("status", risk.status), to_do=risk.to_do),
            say.lang,
        )
        for number, risk in enumerate(document.blocking, start=1)
    ]
    checks = [
        (
            _paragraph(say("status", check.status), say.lang, bold=True, colour=_colour(check.status)),
            _paragraph(say("ui", "labelled", label=check.probe, text=check.title), say.lang),
            _paragraph(check.value, say.lang),
            _paragraph(f"{check.interval} ({check.level})" if check.level else check.interval, say.lang),
            _paragraph(check.threshold, say.lang),
        )
        for check in document.checks[:MOST_CHECKS]
    ]
    shown = (*document.quality, *document.facts, *document.run)
    facts = " · ".join(say("ui", "labelled", label=key, text=value) for key, value in shown)
    parts: list[Flowable] = [
        _paragraph(document.title, say.lang, size=9.0, colour="#57606a"),
        _paragraph(
            say("headline", document.status),
            say.lang,
            size=22.0,
            bold=True,
            colour=_colour(document.status),
            leading=27.0,
        ),
        _paragraph(document.sentence, say.lang, size=10.5, leading=14.0),
        Spacer(0, GAP),
        _paragraph(facts, say.lang, size=7.5, colour="#57606a"),
        *([_paragraph(document.since, say.lang, size=8.5)] if document.since else []),
        *([_heading(say("ui", "blocks"), say.lang), *blocking] if blocking else []),
        _heading(say("ui", "risks"), say.lang),
        _risks(document, width),
        _heading(say("ui", "checks"), say.lang),
        _table(
            ("status", "estimate", "value", "interval", "threshold"),
            checks,
            (0.1, 0.4, 0.12, 0.26, 0.12),
            width,
            document,
        ),
    ]
    if len(document.checks) > MOST_CHECKS:
        parts.append(_paragraph(say("ui", "more", count=len(document.checks) - MOST_CHECKS), say.lang))
    parts += [
        *(_paragraph(_short(note), say.lang) for note in document.notes[:3]),
        _heading(say("evidence", "means_not"), say.lang),
        *(_paragraph(one, say.lang) for one in (*document.limits, say("evidence", "no_conformity"))),
    ]
    return parts


def _risks(document: Document, width: float) -> Flowable:
    """What to do about risks that block a release is given above; the column is included if another risk has a
    remedy."""
    say = document.words
    rows = [
        (
            _paragraph(
                say("ui", "labelled", label=risk.title, text=say("status", risk.status)),
                say.lang,
                bold=True,
                colour=_colour(risk.status),
            ),
            _paragraph(_short(risk.what), say.lang),
            _paragraph(_short(risk.to_do), say.lang),
        )
        for risk in document.risks
    ]
    if any(risk.to_do for risk in document.risks if risk not in document.blocking):
        return _table(("risk", "what", "to_do"), rows, (0.17, 0.47, 0.36), width, document)
    return _table(("risk", "what"), [row[:2] for row in rows], (0.2, 0.8), width, document)


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[Paragraph]], shares: Sequence[float], width: float, document: Document
) -> Flowable:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table, TableStyle

    say = document.words
    if not rows:
        return _paragraph(say("ui", "nochecks"), say.lang)
    head = [_paragraph(say("ui", key), say.lang, bold=True, colour="#57606a") for key in heads]
    table = Table([head, *rows], colWidths=[share * width for share in shares])
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor("#d0d7de")),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return table


def _heading(text: str, lang: str) -> Flowable:
    return _paragraph(text, lang, size=11.0, bold=True, before=10.0)


def _footer(report: Report) -> str:
    """The full digests, which tie this page to its model and data."""
    named = {"model": report.model.get("digest"), "data": report.data.get("fingerprint")}
    return " · ".join(f"{name} {digest}" for name, digest in named.items() if digest)


def _paragraph(
    text: str,
    lang: str,
    *,
    size: float = 8.0,
    bold: bool = False,
    colour: str = "#1f2328",
    leading: float = 0.0,
    before: float = 0.0,
) -> Paragraph:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        "",
        fontName="Helvetica-Bold" if bold else "Helvetica",
        fontSize=size,
        leading=leading or 1.3 * size,
        spaceBefore=before,
        textColor=HexColor(colour),
        wordWrap="CJK" if lang == "zh" else None,
    )
    return Paragraph(_set(text), style)


def _set(text: str) -> str:
    """Characters that Helvetica lacks are set in the other font; the text is escaped.

    >>> _set("a<b ≤ 1")
    'a&lt;b <font name="STSong-Light">≤</font> 1'
    """
    told = harmless_long(str(text)).translate(SPELLED)
    runs = re.split(r"([^\x20-\x7e\xa1-\xff–—‘’“”•…€™]+)", told)
    return "".join(f'<font name="{OTHER}">{escape(run)}</font>' if i % 2 else escape(run) for i, run in enumerate(runs))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"


def _colour(status: str) -> str:
    return COLOURS.get(status, "#57606a")


FORMAT = Format(file="summary.pdf", render=lambda report, style: {"summary.pdf": render(report, lang=style.lang)})
