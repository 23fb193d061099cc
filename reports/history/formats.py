"""The history in the console, in Markdown and as a self-contained page."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.formats.console import MARKS, STYLES
from reports.history.history import Run, Series, shown, when
from reports.wording.catalogue import Words
from reports.wording.numbers import harmless, quantity


def console(runs: Sequence[Run], found: Sequence[Series], say: Words) -> RenderableType:
    """In at most 80 columns: a line a run, then a sparkline an estimate."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, padding=(0, 1))
    table.add_column(say("history", "finished"), width=20)
    table.add_column(say("history", "run"), ratio=1, overflow="fold")
    table.add_column(say("history", "model"), ratio=1, overflow="fold")
    table.add_column(say("ui", "verdict"), width=13)
    for label, run in zip(when(runs), runs, strict=True):
        status = run.report.verdict.status
        table.add_row(
            Text(label),
            Text(harmless(run.name)),
            Text(_model(run)),
            Text(f"{MARKS[status]} {say('headline', status)}", style=STYLES[status]),
        )
    return Group(table, *(_line(line, say) for line in found))


def _model(run: Run) -> str:
    return harmless(f"{run.report.model.get('name', '?')} {str(run.report.model.get('digest') or '')[:7]}").strip()


def _line(line: Series, say: Words) -> Text:
    present = [one for one in line.estimates if one is not None]
    first, last = quantity(present[0].value, line.unit), shown(present[-1], say)
    return Text.assemble(
        (line.title, "bold"),
        "\n  ",
        (line.sparkline, "cyan"),
        f"  {first} → {last}" if len(present) > 1 else f"  {last}",
    )


def cells(runs: Sequence[Run], found: Sequence[Series], say: Words) -> tuple[list[str], list[list[str]]]:
    """Headings and a row a run, the latest first."""
    heads = [say("history", key) for key in ("finished", "run", "model")] + [say("ui", "verdict")]
    heads += [line.title for line in found]
    rows = []
    for i, (label, run) in enumerate(zip(when(runs), runs, strict=True)):
        about = [label, harmless(run.name), _model(run), say("headline", run.report.verdict.status)]
        rows.append([*about, *(shown(line.estimates[i], say) for line in found)])
    return heads, rows[::-1]


def markdown(runs: Sequence[Run], found: Sequence[Series], say: Words) -> str:
    """A table, and a sparkline an estimate: no figure files, so that it can be pasted anywhere."""
    from reports.formats.markdown import escape

    heads, rows = cells(runs, found, say)
    lines = [f"| {' | '.join(escape(head) for head in heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    sparks = [f"- {escape(line.title)}: `{line.sparkline}`" for line in found]
    return "\n".join([f"# {say('history', 'title')}", "", *lines, "", *sparks]) + "\n"


def html(runs: Sequence[Run], found: Sequence[Series], say: Words) -> str:
    """One file that works offline, in the style of the report."""
    from reports.formats.html import page

    heads, rows = cells(runs, found, say)
    statuses = [run.report.verdict.status for run in runs][::-1]
    return page("history.html", say, heads=heads, rows=list(zip(statuses, rows, strict=True)), lines=found)
