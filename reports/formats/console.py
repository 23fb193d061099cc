"""The final table of a run: 80 columns or more, the verdict first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from probes.probe import ProbeType
from reports.document.comparison import AgainstText, DifferenceText
from reports.document.outline import Document, outline
from reports.formats.running_text import RunningText
from reports.report import Report
from reports.wording.catalogue import Words

STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "undecided": "bold yellow",
    "error": "bold magenta",
    "waived": "cyan",
    "no-violation": "green",
    "info": "dim",
}
CHANGES = {"worse": ("✗", "bold red"), "better": ("✓", "bold green")}
CHANGES_SHOWN = 6
"""Largest number of changes below a verdict, worst first; `audit compare` and the report show all."""
MARKS = {"pass": "✓", "fail": "✗", "undecided": "?", "error": "!", "waived": "–", "no-violation": "○", "info": "·"}


def table(report: Report, *, lang: str = "en") -> RenderableType:
    """The verdict, one paragraph per risk, one row per check; no number is truncated at 80 columns."""
    document = outline(report, lang)
    say = document.words
    style = STYLES[document.status]
    head = RunningText.assemble(
        (f"{MARKS[document.status]} {say('headline', document.status)}", style), "  ", document.sentence
    )
    risks = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
    risks.add_column(width=1)
    risks.add_column(width=16, overflow="fold")
    risks.add_column(ratio=1, overflow="fold")
    for risk in document.risks:
        style = STYLES[risk.status]
        risks.add_row(
            Text(MARKS[risk.status], style=style), RunningText(risk.title, style=style), RunningText(risk.what)
        )
        if risk.also:
            risks.add_row("", "", RunningText(risk.also))
        if risk.to_do:
            risks.add_row("", "", RunningText(f"→ {risk.to_do}", style="dim"))
    quality = [RunningText(say("ui", "labelled", label=key, text=value)) for key, value in document.quality]
    parts: list[RenderableType] = [head, *quality, Text(), risks]
    if document.checks:
        parts += [Text(), _checks(document)]
    if document.against:
        parts += [Text(), against_table(document.against, document.words, every=False)]
    return Group(*parts, *(RunningText(note, style="yellow") for note in document.notes))


def _checks(document: Document) -> Table:
    say = document.words
    checks = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, padding=(0, 1, 0, 0))
    checks.add_column(say("ui", "status"), width=12, overflow="fold")
    checks.add_column(say("ui", "estimate"), ratio=1, overflow="fold")
    checks.add_column(say("ui", "value"), justify="right", width=7, overflow="fold")
    checks.add_column(say("ui", "interval"), width=16, overflow="fold")
    checks.add_column(say("ui", "threshold"), justify="right", width=10, overflow="fold")
    for check in document.checks:
        checks.add_row(
            Text(f"{MARKS[check.status]} {say('status', check.status)}", style=STYLES[check.status]),
            RunningText(check.title),
            Text(check.value),
            Text(check.interval),
            Text(check.threshold),
        )
    return checks


def against_table(text: AgainstText, say: Words, *, every: bool = True) -> RenderableType:
    """What changed since the baseline; `every` also shows what did not change."""
    style = STYLES[text.status]
    head = RunningText.assemble((f"{MARKS[text.status]} {text.title}", style), "  ", text.sentence)
    rows = [row for row in text.rows if every or row.status in CHANGES]
    shown = rows if every else rows[:CHANGES_SHOWN]
    parts: list[RenderableType] = [head]
    if rows:
        parts += [Text(), _differences(shown, say)]
    if len(shown) < len(rows):
        parts.append(Text(say("ui", "more", count=len(rows) - len(shown)), style="dim"))
    return Group(*parts, *(RunningText(note, style="yellow") for note in text.notes))


def _differences(rows: Sequence[DifferenceText], say: Words) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, padding=(0, 1))
    shown.add_column(say("ui", "estimate"), ratio=1, overflow="fold")
    for key in ("old", "new"):
        shown.add_column(say("against", key), justify="right", width=10, overflow="fold")
    shown.add_column(f"{say('against', 'change')} ({say('ui', 'interval')})", width=19, overflow="fold")
    shown.add_column(say("ui", "status"), width=14, overflow="fold")
    for row in rows:
        mark, style = CHANGES.get(row.status, ("·", "dim"))
        shown.add_row(
            Text(row.title),
            Text(row.old),
            Text(row.new),
            Text(f"{row.change}\n{row.interval}"),
            Text(f"{mark} {say('change', row.status)}", style=style),
        )
    return shown


def probes_table(probes: Sequence[ProbeType]) -> RenderableType:
    """Name, question and parameters of each installed probe."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("Probe", style="bold")
    shown.add_column("Question")
    shown.add_column("Parameters (defaults)")
    for probe in probes:
        fields = dataclasses.fields(probe)
        parameters = ", ".join(f"{field.name} = {field.default!r}" for field in fields)
        shown.add_row(Text(probe.name), Text(probe.risk), Text(parameters))
    return shown
