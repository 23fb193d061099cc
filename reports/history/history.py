"""Audits over time: a pure function of reports and when they were finished."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from probes.errors import ConfigError, did_you_mean
from probes.result import Axis, Chart, Estimate, Result
from reports.report import Report
from reports.spreadsheet import cell
from reports.wording.catalogue import Words
from reports.wording.estimates import shown as told
from reports.wording.numbers import axis_scale, harmless

BARS = "▁▂▃▄▅▆▇█"
MOST_RUNS = 60
"""Number of runs in charts and sparklines: the latest."""
HEADS = (
    "run",
    "finished",
    "model",
    "digest",
    "verdict",
    "probe",
    "estimate",
    "value",
    "low",
    "high",
    "level",
    "n",
    "unit",
)
Name = tuple[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """`name` is its location; `finished` an ISO time in UTC."""

    name: str
    finished: str
    report: Report

    def estimate(self, name: Name) -> Estimate | None:
        return self.report.estimate(*name)


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One estimate over all runs, None for runs without it."""

    probe: str
    name: str
    title: str
    unit: str
    estimates: tuple[Estimate | None, ...]
    chart: Chart

    @property
    def sparkline(self) -> str:
        return sparkline([math.nan if one is None else one.value for one in self.estimates[-MOST_RUNS:]])


def lines(runs: Sequence[Run], asked: Sequence[str], say: Words) -> list[Series]:
    """The requested estimates, or all that a gate checked in any run, in the order of their first appearance.

    Raises ConfigError for one that no run has, with the nearest name.
    """
    labels = _short(when(runs))
    say = say.about(result for run in runs for result in run.report.results)
    found = []
    for probe, name in _chosen(runs, asked):
        estimates = tuple(run.estimate((probe, name)) for run in runs)
        title = harmless(say("ui", "named", probe=say.probe(probe, "title"), estimate=say.estimate(name, probe)))
        unit = next(one.unit for one in estimates if one is not None)
        scale = axis_scale(unit)
        chart = _chart(probe, name, title, say.axis(unit), labels, estimates, scale)
        bound = _threshold(runs[-1], probe, name)
        chart = dataclasses.replace(chart, rules={} if bound is None else {say("ui", "threshold"): scale * bound})
        found.append(Series(probe=probe, name=name, title=title, unit=unit, estimates=estimates, chart=chart))
    return found


def _chosen(runs: Sequence[Run], asked: Sequence[str]) -> list[Name]:
    known: dict[Name, None] = {}
    for run in runs:
        for result in run.report.results:
            if isinstance(result, Result):
                known |= {(result.probe, one.name): None for one in result.estimates}
    if not asked:
        checked = {(check.probe, check.estimate): None for run in runs for check in run.report.verdict.checks}
        return [name for name in checked if name in known]
    chosen: dict[Name, None] = {}
    for text in asked:
        matching = [name for name in known if text in (name[1], f"{name[0]}.{name[1]}", name[0])]
        if not matching:
            near = did_you_mean(text, {name[1] for name in known})
            raise ConfigError(f"no run has an estimate {text!r}. {near}", where="--estimate")
        chosen |= dict.fromkeys(matching)
    return list(chosen)


def _threshold(run: Run, probe: str, name: str) -> float | None:
    """The threshold by which the last audit was judged."""
    checks = (one for one in run.report.verdict.checks if (one.probe, one.estimate) == (probe, name))
    return next((one.threshold for one in checks if one.against == "threshold"), None)


def when(runs: Sequence[Run]) -> list[str]:
    """Unique labels of the runs: the time to the minute, and a number if two share it."""
    labels: list[str] = []
    for run in runs:
        label = run.finished[:16].replace("T", " ")
        taken = sum(other == label or other.startswith(f"{label} #") for other in labels)
        labels.append(f"{label} #{taken + 1}" if taken else label)
    return labels


def _short(labels: list[str]) -> list[str]:
    """Without the year if it is the same for all, because an axis has little space."""
    same = len({label[:5] for label in labels}) == 1
    return [label[5:] if same else label for label in labels]


def _chart(
    probe: str,
    name: str,
    title: str,
    unit: str,
    labels: Sequence[str],
    estimates: Sequence[Estimate | None],
    scale: float,
) -> Chart:
    present = [(label, one) for label, one in zip(labels, estimates, strict=True) if one is not None][-MOST_RUNS:]
    return Chart(
        name=f"history-{probe}-{name}",
        mark="line",
        title=title,
        caption="",
        columns={
            "finished": [label for label, _ in present],
            "value": [scale * one.value for _, one in present],
            "low": [scale * (one.value if one.bound else one.low) for _, one in present],
            "high": [scale * (one.value if one.bound else one.high) for _, one in present],
        },
        x=Axis(column="finished", title="", scale="category"),
        y=Axis(column="value", title=unit),
        low="low",
        high="high",
    )


def sparkline(values: Sequence[float]) -> str:
    """One bar per value, from the smallest to the largest; a space if there is none."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    reach = high - low

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return BARS[round((value - low) / reach * (len(BARS) - 1))] if reach > 0 else BARS[3]

    return "".join(bar(value) for value in values)


def shown(estimate: Estimate | None, say: Words) -> str:
    """Value and interval."""
    if estimate is None:
        return "–"
    value, interval, _ = told(estimate, say)
    return f"{value} ({interval})"


def table_csv(runs: Sequence[Run], found: Sequence[Series]) -> str:
    """One line per run and estimate, for pandas and spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADS)
    for i, run in enumerate(runs):
        about = [run.name, run.finished, run.report.model.get("name"), run.report.model.get("digest")]
        for line in found:
            if (one := line.estimates[i]) is not None:
                numbers = [one.value, one.low, one.high, one.level, one.n, one.unit]
                cells = [*about, run.report.verdict.status, line.probe, line.name, *numbers]
                writer.writerow([cell(one) for one in cells])
    return text.getvalue()
