"""The final table of a run: at most 80 columns, the verdict first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from probes.probe import ProbeType
from reports.document import Document, outline
from reports.report import Report

STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "undecided": "bold yellow",
    "error": "bold magenta",
    "waived": "cyan",
    "info": "dim",
}
MARKS = {"pass": "✓", "fail": "✗", "undecided": "?", "error": "!", "waived": "–", "info": "·"}


def table(report: Report, *, lang: str = "en") -> RenderableType:
    """Verdict, a paragraph a risk, a row a check; every number is whole in 80 columns."""
    document = outline(report, lang)
    say = document.words
    style = STYLES[document.status]
    head = Text.assemble(
        (f"{MARKS[document.status]} {say('headline', document.status)}", style), "  ", document.sentence
    )
    risks = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
    risks.add_column(width=1)
    risks.add_column(width=16)
    risks.add_column(ratio=1)
    for risk in document.risks:
        style = STYLES[risk.status]
        risks.add_row(Text(MARKS[risk.status], style=style), Text(risk.title, style=style), Text(risk.what))
        if risk.to_do:
            risks.add_row("", "", Text(f"→ {risk.to_do}", style="dim"))
    parts: list[RenderableType] = [head, Text(), risks]
    if document.checks:
        parts += [Text(), _checks(document)]
    return Group(*parts, *(Text(note, style="yellow") for note in document.notes))


def _checks(document: Document) -> Table:
    say = document.words
    checks = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, padding=(0, 1))
    checks.add_column(say("ui", "estimate"), ratio=1)
    checks.add_column(say("ui", "value"), justify="right", width=8)
    checks.add_column(say("ui", "interval"), width=18)
    checks.add_column(say("ui", "threshold"), justify="right", width=9)
    checks.add_column(say("ui", "status"), width=11, no_wrap=True)
    for check in document.checks:
        checks.add_row(
            Text(check.title),
            Text(check.value),
            Text(check.interval),
            Text(check.threshold),
            Text(f"{MARKS[check.status]} {say('status', check.status)}", style=STYLES[check.status]),
        )
    return checks


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
