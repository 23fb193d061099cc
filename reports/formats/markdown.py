"""The outline as GitHub-flavoured Markdown, with figures as SVG files beside it, and a short summary for CI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from probes.result import Chart, Figure, Sentences, Table
from reports.document.comparison import AgainstText, DifferenceText
from reports.document.outline import Document, outline
from reports.document.sections import EstimateText, FindingText, Section
from reports.formats.base import Format, Style, utf8
from reports.formats.tables import cells, length
from reports.report import Report
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless, slug

MARKS = {"pass": "✅", "fail": "❌", "undecided": "❔", "error": "⚠️", "waived": "➖", "no-violation": "⚪", "info": "·"}
CHANGES = {"worse": "❌", "better": "✅"}
ROWS = 15


def render(report: Report, *, lang: str = "en", figures: Literal["svg", "png"] = "svg") -> tuple[str, dict[str, bytes]]:
    """The text, and the figure files by the relative names that the text links to.

    PNG is for places that do not show SVG: mails, most wikis, chat."""
    document = outline(report, lang)
    files: dict[str, bytes] = {}
    parts = [*_head(document), *(against_section(document.against, document.words) if document.against else ())]
    for section in document.sections:
        parts += _section(section, document, files, figures)
    parts += _limits(document)
    parts += _appendix(document)
    return "\n\n".join(part for part in parts if part) + "\n", files


def summary(report: Report, *, lang: str = "en", limit: int = 65_535) -> str:
    """Verdict, risks and checks, without figures, at most `limit` characters: for a job summary or a check run."""
    document = outline(report, lang)
    parts = [*_head(document), *(against_section(document.against, document.words) if document.against else ())]
    lines = "\n\n".join(part for part in parts if part).splitlines(keepends=True)
    text = ""
    for line in lines:  # complete lines, so that no table row or escape is cut
        if len(text) + len(line) > limit - 2:
            return text + "…\n"
        text += line
    return text + "\n"


def escape(text: object) -> str:
    """Escaped so that nothing in it is markup: neither Markdown, HTML, mentions nor links."""
    safe = harmless_text(text)
    safe = safe.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", safe)
    return safe.replace("@", "@&#8203;").replace("://", ":&#8203;//")


def harmless_text(text: object) -> str:
    return " ".join(harmless(piece) for piece in str(text).split())


def _head(document: Document) -> list[str]:
    say = document.words
    rows = [
        (
            f"{MARKS[risk.status]} **{escape(risk.title)}**",
            escape(say("ui", "space").join(part for part in (risk.what, risk.also) if part)),
            escape(risk.so_what),
            f"{escape(risk.to_do)} `{risk.command}`" if risk.command else escape(risk.to_do),
        )
        for risk in document.risks
    ]
    undecided = [f"- {_labelled(c.title, c.because, say)}" for c in document.checks if c.status == "undecided"]
    return [
        f"# {MARKS[document.status]} {_labelled(say('headline', document.status), document.title, say)}",
        f"**{escape(document.sentence)}**",
        " · ".join(_labelled(key, value, say) for key, value in document.quality),
        escape(document.decide),
        *(f"> {escape(note)}" for note in document.notes),
        say("ui", "semicolon").join(_labelled(key, value, say) for key, value in document.run),
        escape(document.registered),
        escape(document.since),
        *_blocking(document),
        f"## {say('ui', 'risks')}",
        _table(tuple(say("ui", key) for key in ("risk", "what", "so_what", "to_do")), rows),
        f"## {say('ui', 'checks')}",
        checks_table(document),
        "\n".join(undecided),
        *_reasons(document),
    ]


def _blocking(document: Document) -> list[str]:
    """What blocks shipping and what to do next, most severe first."""
    say = document.words
    told = [
        f"{place}. **{escape(risk.title)}** "
        + escape(say("ui", "blocked_by", status=say("status", risk.status), to_do=risk.to_do))
        + (f" `{risk.command}`" if risk.command else "")
        for place, risk in enumerate(document.blocking, 1)
    ]
    return [f"**{say('ui', 'blocks')}**", "\n".join(told)] if told else []


def _reasons(document: Document) -> list[str]:
    """Collapsed: the reason for each threshold."""
    if not document.reasons:
        return []
    listed = "\n".join(f"- {_labelled(f'{r.title} {r.threshold}', r.says, document.words)}" for r in document.reasons)
    return [f"<details><summary>{document.words('why', 'title')}</summary>", listed, "</details>"]


def checks_table(document: Document) -> str:
    """One row per check; empty if there are none."""
    say = document.words
    rows = [
        (
            f"{MARKS[check.status]} {say('status', check.status)}",
            _labelled(check.probe, check.title, say),
            escape(check.value),
            _leveled(check.interval, check.level, say),
            escape(check.n),
            escape(check.threshold),
        )
        for check in document.checks
    ]
    heads = tuple(say("ui", key) for key in ("status", "estimate", "value", "interval", "n", "threshold"))
    return _table(heads, rows) if rows else ""


def _leveled(interval: str, level: str, say: Words) -> str:
    return escape(say("ui", "leveled", interval=interval, level=level) if level else interval)


def _labelled(label: str, text: str, say: Words) -> str:
    return escape(say("ui", "labelled", label=label, text=text))


def against_section(text: AgainstText, say: Words) -> list[str]:
    """What changed since the baseline: changed rows are shown, the others collapsed."""
    changed = [row for row in text.rows if row.status in CHANGES]
    folded = [row for row in (*text.rows, *text.untested) if row.status not in CHANGES]
    return [
        f"## {escape(text.title)}",
        f"**{escape(text.sentence)}**",
        *(f"> {escape(note)}" for note in text.notes),
        _differences(changed, say) if changed else "",
        f"<details><summary>{say('change', 'same')}, {say('change', 'untested')}</summary>",
        _differences(folded, say),
        "</details>",
        escape(text.explained),
    ]


def _differences(rows: Sequence[DifferenceText], say: Words) -> str:
    heads = (
        *(say("ui", key) for key in ("status", "estimate")),
        *(say("against", key) for key in ("old", "new", "change")),
        say("ui", "interval"),
        *(say("against", key) for key in ("p", "test")),
    )
    cells = [
        (
            f"{CHANGES.get(row.status, '·')} {say('change', row.status)}",
            _labelled(row.probe, row.title, say),
            row.old,
            row.new,
            row.change,
            _leveled(row.interval, row.level, say),
            escape(row.p),
            f"{row.paired} · n = {row.n}",
        )
        for row in rows
    ]
    return _table(heads, cells)


def _section(section: Section, document: Document, files: dict[str, bytes], kind: Literal["svg", "png"]) -> list[str]:
    say = document.words
    parts = [f"## {escape(section.title)}", f"*{escape(section.question)}*" if section.question else ""]
    if section.failure:
        return [*parts, f"⚠️ {escape(section.failure)}"]
    parts += [_finding(finding, document) for finding in section.findings]
    parts += _figures(section.figures, section, document, files, kind)
    if section.further:
        parts.append(f"<details><summary>{say('ui', 'further')}</summary>")
        parts += _figures(section.further, section, document, files, kind)
        parts.append("</details>")
    parts.append(f"<details><summary>{say('ui', 'estimates')}</summary>")
    parts.append(_estimates(section.estimates, document))
    parts.append("</details>")
    parts += [f"- {escape(note)}" for note in section.notes]
    return parts


def _figures(
    figures: Sequence[Figure],
    section: Section,
    document: Document,
    files: dict[str, bytes],
    kind: Literal["svg", "png"],
) -> list[str]:
    """Charts as files beside the text, tables as tables, texts with bold words; images stay in the page."""
    from reports.formats.charts import png, svg  # a summary has no drawings and need not wait for the library

    parts = []
    for figure in figures:
        if isinstance(figure, Chart):
            name = f"figures/{section.anchor}-{slug(figure.name)}.{kind}"
            files[name] = svg(figure, "white").encode() if kind == "svg" else png(figure)
            parts.append(
                f"![{escape(figure.title)}]({name})\n*{_heading(figure, document.words)}* {escape(figure.caption)}"
            )
        elif isinstance(figure, Table):
            parts.append(_figure_table(figure, document))
        elif isinstance(figure, Sentences):
            parts.append(_sentences(figure, document.words))
    return parts


BOLD = 127 // 2
"""The weight from which a word is bold, if colours are not available."""


def _sentences(figure: Sentences, say: Words) -> str:
    """Words that weigh at least half of the heaviest are bold, whichever way they speak."""
    lines = [f"**{_heading(figure, say)}** {escape(figure.caption)} {escape(say('ui', 'bold'))}"]
    for row in figure.rows:
        lines.append(f"- {escape(row.title)}")
        for heading, weights in zip(figure.headings, row.weights, strict=True):
            words = [
                f"**{escape(word)}**" if abs(int(weight)) > BOLD and harmless_text(word) else escape(word)
                for word, weight in zip(row.words, weights, strict=True)
            ]
            lines.append(f"  - {say('ui', 'labelled', label=escape(heading), text=' '.join(words))}")
    return "\n".join([lines[0], "", *lines[1:]])


def _finding(finding: FindingText, document: Document) -> str:
    say = document.words
    lines = [f"**{say('severity', finding.severity)}** — {escape(finding.claim)}"]
    if finding.because:
        numbers = [_labelled(title, shown, say) if shown else escape(title) for title, shown in finding.because]
        levels = say("ui", "levels", level=finding.level) if finding.level else ""
        because = _leveled(say("ui", "because"), levels, say)
        lines.append(f"- {say('ui', 'labelled', label=because, text=say('ui', 'semicolon').join(numbers))}")
    lines += [
        f"- {_labelled(say('ui', key), text, say)}"
        for key, text in (
            ("samples", finding.samples),
            ("how", finding.how),
            ("limits", finding.limits),
            ("helps", finding.helps),
        )
        if text
    ]
    if finding.command:
        lines.append(f"- {say('ui', 'labelled', label=say('ui', 'try'), text=f'`{finding.command}`')}")
    return "\n".join(lines)


def _heading(figure: Chart | Table | Sentences, say: Words) -> str:
    """The title as a separate sentence."""
    title = escape(figure.title)
    return title if title.endswith(("?", "？", "!", ".")) else say("ui", "sentence", text=title)


def _figure_table(figure: Table, document: Document) -> str:
    names = tuple(figure.columns)
    rows = [tuple(escape(text) for text, _ in row) for row in cells(figure, ROWS)]
    more = ""
    if length(figure) > ROWS:
        more = "\n\n" + document.words("ui", "more", count=length(figure) - ROWS)
    body = _table(tuple(escape(name) for name in names), rows)
    return f"**{_heading(figure, document.words)}** {escape(figure.caption)}\n\n{body}{more}"


def _estimates(estimates: Sequence[EstimateText], document: Document) -> str:
    say = document.words
    rows = [
        (escape(one.title), one.value, _leveled(one.interval, one.level, say), escape(one.n), escape(one.unit))
        for one in estimates
    ]
    return _table(tuple(say("ui", key) for key in ("estimate", "value", "interval", "n", "unit")), rows)


def _limits(document: Document) -> list[str]:
    say = document.words
    listed = "\n".join(f"- {escape(one)}" for one in (*document.limits, say("evidence", "no_conformity")))
    return [f"## {say('limits', 'title')}", listed]


def _appendix(document: Document) -> list[str]:
    say = document.words
    parts = [f"## {say('ui', 'methods')}"]
    for section in document.sections:
        if section.method:
            cited = "".join(f"\n  - {escape(one)}" for one in section.citations)
            told = say("ui", "labelled", label=f"**{escape(section.title)}**", text=escape(section.method))
            parts.append(f"- {told}{cited}")
    listed = "\n".join(f"- {escape(key)}: {escape(value)}" for key, value in document.provenance)
    provenance = f"<details><summary>{say('ui', 'provenance')}</summary>\n\n{listed}\n\n</details>"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", document.recipe)), default=2) + 1)
    fence = fence if len(fence) >= 3 else "```"
    recipe = (
        f"<details><summary>{say('ui', 'recipe')}</summary>\n\n{fence}json\n{document.recipe}\n{fence}\n\n</details>"
    )
    terms = "\n".join(
        f"- {say('ui', 'labelled', label=f'**{escape(term)}**', text=escape(says))}" for term, says in document.glossary
    )
    glossary = f"<details><summary>{say('ui', 'glossary')}</summary>\n\n{terms}\n\n</details>"
    return [*parts, glossary, provenance, recipe]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _files(report: Report, style: Style) -> dict[str, bytes]:
    text, drawn = render(report, lang=style.lang, figures=style.figures)
    return {"report.md": utf8(text), **drawn}


FORMAT = Format(file="report.md", render=_files)
SUMMARY = Format.of_text("summary.md", lambda report, style: summary(report, lang=style.lang))
