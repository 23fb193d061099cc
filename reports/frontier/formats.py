"""The frontier of countermeasures in the console, in Markdown, as JSON and as a self-contained page."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from probes.result import Estimate
from probes.texts import said
from reports.archive import estimate_json
from reports.formats.console import MARKS, STYLES
from reports.frontier.frontier import AS_IS, Frontier, Name, Tried, charts, folder_of, named
from reports.report import Json, Status
from reports.wording.catalogue import Words
from reports.wording.estimates import shown
from reports.wording.numbers import harmless, harmless_long, quantity

CHANGES = {"better": "✓", "worse": "✗"}
IN_CONSOLE = 3
"""Number of measures that fit 80 columns."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A measure of a candidate; `change` is better, worse, same, untested or empty."""

    value: str
    interval: str
    change: str


@dataclass(frozen=True, kw_only=True)
class CandidateRow:
    name: str
    folder: str
    """The path of its own report."""
    status: Status
    cells: tuple[Cell, ...]
    efficient: bool
    chosen: bool


def lines(frontier: Frontier, say: Words) -> list[CandidateRow]:
    """One line per candidate, starting with the recipe as it is."""
    return [
        CandidateRow(
            name=named(one.name, say),
            folder=folder_of(one.name),
            status=one.report.verdict.status,
            cells=tuple(_cell(one, name, say) for name in frontier.measures),
            efficient=one.name in frontier.efficient,
            chosen=one is frontier.chosen,
        )
        for one in frontier.tried
    ]


def _cell(one: Tried, name: Name, say: Words) -> Cell:
    estimate = one.estimate(name)
    if estimate is None:
        return Cell(value="–", interval="", change="")
    value, interval, _ = shown(estimate, say)
    return Cell(value=value, interval=interval, change=one.change(name))


def sentence(frontier: Frontier, say: Words) -> str:
    """What to do, in one sentence."""
    chosen, count = frontier.chosen, len(frontier.tried) - 1
    if chosen is None:
        return say("frontier", "none", count=count)
    if chosen.name == AS_IS:
        return say("frontier", "unneeded", count=count)
    passing = sum(one.passes for one in frontier.tried)
    costs = [
        say(
            "frontier",
            "cost",
            measure=say.estimate(name[1], name[0]),
            new=_shown(chosen, name),
            old=_shown(first, name),
        )
        for first in frontier.tried[:1]
        for name in (frontier.first("utility"), frontier.first("risk"))
        if name is not None
    ]
    told = say("ui", "semicolon").join(costs)
    return say("frontier", "chosen", name=chosen.name, passing=passing, count=count, costs=told)


def _shown(one: Tried, name: Name) -> str:
    estimate = one.estimate(name)
    return "–" if estimate is None else quantity(estimate.value, estimate.unit)


def console(frontier: Frontier, say: Words) -> RenderableType:
    """In at most 80 columns."""
    say = say.about(frontier.tried[0].report.results)
    status = frontier.status
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True, padding=(0, 1))
    table.add_column(say("frontier", "candidate"), ratio=1, overflow="fold", min_width=14)
    for probe, name in frontier.measures[:IN_CONSOLE]:
        table.add_column(say.estimate(name, probe), width=15)
    table.add_column(say("ui", "verdict"), width=11, no_wrap=True)
    for line in lines(frontier, say):
        cells = [Text(f"{cell.value} {CHANGES.get(cell.change, '')}\n{cell.interval}") for cell in line.cells]
        badge = Text(f"{MARKS[line.status]} {say('status', line.status)}", style=STYLES[line.status])
        table.add_row(Text(line.name, style="bold" if line.chosen else ""), *cells[:IN_CONSOLE], badge)
    head = Text.assemble((f"{MARKS[status]} ", STYLES[status]), sentence(frontier, say))
    refused = [Text(f"{name}: {harmless_long(say.text(why))}", style="dim") for name, why in frontier.refused.items()]
    return Group(head, Text(), table, Text(say("frontier", "marks"), style="dim"), *refused)


def markdown(frontier: Frontier, say: Words) -> str:
    """A sentence and a table, which can be pasted anywhere."""
    say = say.about(frontier.tried[0].report.results)
    from reports.formats.markdown import escape

    heads = [say("frontier", "candidate"), *(say.estimate(name, probe) for probe, name in frontier.measures)]
    heads += [say("frontier", "efficient"), say("ui", "verdict")]
    rows = [f"| {' | '.join(escape(head) for head in heads)} |", f"|{' --- |' * len(heads)}"]
    for line in lines(frontier, say):
        name = escape(line.name)
        cells = [
            f"{escape(cell.value)} {CHANGES.get(cell.change, '')} ({escape(cell.interval)})".replace("  ", " ")
            for cell in line.cells
        ]
        told = [f"**{name}**" if line.chosen else name, *cells]
        told += [say("frontier", "yes") if line.efficient else "", f"{MARKS[line.status]} {say('status', line.status)}"]
        rows.append(f"| {' | '.join(told)} |")
    refused = [f"- {escape(name)}: {escape(harmless_long(say.text(why)))}" for name, why in frontier.refused.items()]
    parts = [f"# {say('frontier', 'title')}", sentence(frontier, say), "\n".join(rows), say("frontier", "marks")]
    parts += [say("frontier", "explained")]
    if refused:
        parts += [f"## {say('frontier', 'refused')}", "\n".join(refused)]
    return "\n\n".join(parts) + "\n"


def html(frontier: Frontier, say: Words) -> str:
    """One file that works offline, in the style of the report; links lead to each candidate's own report."""
    say = say.about(frontier.tried[0].report.results)
    from reports.formats.html import page

    return page(
        "frontier.html",
        say,
        status=frontier.status,
        model=harmless(frontier.tried[0].report.model.get("name", "")),
        sentence=sentence(frontier, say),
        heads=[say.estimate(name, probe) for probe, name in frontier.measures],
        lines=lines(frontier, say),
        charts=charts(frontier, say),
        refused={name: harmless_long(say.text(why)) for name, why in frontier.refused.items()},
    )


def as_json(frontier: Frontier) -> str:
    """For machines: every candidate's measures, what changed, and the candidate to choose."""
    candidates: list[Json] = [
        {
            "name": one.name,
            "verdict": one.report.verdict.status,
            "digest": one.report.model.get("digest"),
            "efficient": one.name in frontier.efficient,
            "measures": [_measured(one, name, one.estimate(name)) for name in frontier.measures],
        }
        for one in frontier.tried
    ]
    content: dict[str, Json] = {
        "status": frontier.status,
        "exit_code": frontier.exit_code,
        "chosen": None if frontier.chosen is None else frontier.chosen.name,
        "candidates": candidates,
        "refused": {name: said(why) for name, why in frontier.refused.items()},
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _measured(one: Tried, name: Name, estimate: Estimate | None) -> Json:
    found = {} if estimate is None else estimate_json(name[0], estimate)
    return {"probe": name[0], "change": one.change(name) or None, **found}
