"""The final table of a run: at most 80 columns, the verdict first."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from probes.probe import ProbeType
from reports.document import outline
from reports.report import Report

STYLES = {
    "pass": "bold green",
    "fail": "bold red",
    "undecided": "bold yellow",
    "error": "bold magenta",
    "waived": "cyan",
    "info": "dim",
}


def table(report: Report, *, lang: str = "en") -> RenderableType:
    """Verdict, one line a risk, one row a check."""
    document = outline(report, lang)
    say = document.words
    checks = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    checks.add_column(say("ui", "status"), width=9)
    checks.add_column(say("ui", "estimate"), ratio=4)
    checks.add_column(say("ui", "value"), justify="right", ratio=1)
    checks.add_column(say("ui", "interval"), ratio=3)
    checks.add_column(say("ui", "threshold"), ratio=2)
    for check in document.checks:
        checks.add_row(
            Text(say("status", check.status), style=STYLES[check.status]),
            Text(f"{check.probe}: {check.title}"),
            Text(check.value),
            Text(check.interval),
            Text(check.threshold),
        )
    head = Text(document.sentence, style=STYLES[document.status])
    risks = [Text.assemble((f"{risk.title}: ", "bold"), risk.what) for risk in document.risks]
    return Group(head, Text(), *risks, checks if document.checks else Text())


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
