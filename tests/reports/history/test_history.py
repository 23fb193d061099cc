from __future__ import annotations

import csv
import dataclasses
import io
import math

import pytest
from rich.cells import cell_len
from rich.console import Console

from probes.errors import ConfigError
from probes.result import Result
from reports.history import formats as history_formats
from reports.history import history
from reports.history.history import Run, sparkline
from reports.wording.catalogue import words
from tests.reports.sample import HOSTILE, sample

GAPS = (0.3, 0.1, 0.02)


def runs(
    label: str = "three", times: tuple[str, ...] = ("2026-01-01T10:00", "2026-01-02T10:00", "2026-01-02T10:00")
) -> list[Run]:
    return [
        Run(name=f"{label}/{i}", finished=f"{time}:0{i}+00:00", report=sample(gap, label))
        for i, (time, gap) in enumerate(zip(times, GAPS, strict=True))
    ]  # fmt: skip


def test_sparkline_runs_from_the_smallest_to_the_largest() -> None:
    assert sparkline([0.0, 0.5, 1.0, math.nan]) == "▁▅█ "
    assert sparkline([2.0, 2.0]) == "▄▄"
    assert sparkline([math.nan]) == " "


def test_lines_are_what_gates_checked_with_a_gap_where_a_run_has_it_not() -> None:
    three = runs()
    three[1] = dataclasses.replace(three[1], report=dataclasses.replace(three[1].report, results=()))
    (line,) = history.lines(three, (), words("en"))
    assert [one and one.value for one in line.estimates] == [0.3, None, 0.02]
    assert line.sparkline == "█ ▁"
    assert line.chart.columns["value"] == [30.0, 2.0]
    assert line.chart.columns["low"] == [100 * one.low for one in line.estimates if one]


def in_unit(run: Run, unit: str) -> Run:
    results = tuple(
        dataclasses.replace(result, estimates=tuple(dataclasses.replace(one, unit=unit) for one in result.estimates))
        if isinstance(result, Result)
        else result
        for result in run.report.results
    )
    return dataclasses.replace(run, report=dataclasses.replace(run.report, results=results))


@pytest.mark.parametrize(("unit", "title"), [("points", "percentage points"), ("fraction", "%")])
def test_axes_are_in_percent_as_tables_are_and_so_is_the_threshold(unit: str, title: str) -> None:
    (line,) = history.lines([in_unit(run, unit) for run in runs()], (), words("en"))
    (plain,) = history.lines([in_unit(run, "AUC") for run in runs()], (), words("en"))
    assert line.chart.y.title == title
    for column in ("value", "low", "high"):
        assert line.chart.columns[column] == pytest.approx([100 * one for one in plain.chart.columns[column]])
    assert list(line.chart.rules.values()) == pytest.approx([100 * one for one in plain.chart.rules.values()])


def test_runs_within_one_minute_are_distinguished() -> None:
    assert history.when(runs()) == ["2026-01-01 10:00", "2026-01-02 10:00", "2026-01-02 10:00 #2"]


@pytest.mark.parametrize("asked", ["checkpoint.train_accuracy", "overfitting.checkpoint.train_accuracy"])
def test_estimates_can_be_asked_for(asked: str) -> None:
    (line,) = history.lines(runs(), (asked,), words("en"))
    assert line.name == "checkpoint.train_accuracy"
    with pytest.raises(ConfigError, match=r"Did you mean 'checkpoint.train_accuracy'"):
        history.lines(runs(), ("checkpoint.train_acuracy",), words("en"))


def test_csv_has_every_number() -> None:
    three = runs()
    rows = list(csv.DictReader(io.StringIO(history.table_csv(three, history.lines(three, (), words("en"))))))
    assert [float(row["value"]) for row in rows] == list(GAPS)
    assert [row["verdict"] for row in rows] == ["fail", "undecided", "pass"]
    assert [float(row["high"]) for row in rows] == pytest.approx([0.32, 0.12, 0.04])


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("label", ["three", HOSTILE])
def test_every_format_shows_every_run_and_no_markup_of_strangers(lang: str, label: str) -> None:
    three, say = runs(label), words(lang)
    found = history.lines(three, (), say)
    out = io.StringIO()
    Console(file=out, width=80).print(history_formats.console(three, found, say))
    assert max(cell_len(line) for line in out.getvalue().splitlines()) <= 80
    page, text = history_formats.html(three, found, say), history_formats.markdown(three, found, say)
    for shown in (out.getvalue(), page, text):
        for status in ("pass", "fail", "undecided"):
            assert say("headline", status) in shown or say("status", status) in shown
        assert shown is not page or "<script>alert" not in shown
        assert "\u202e" not in shown
    assert page.index("#2") < page.index("2026-01-01 10:00"), "the latest comes first"
    assert "30.0 % (28.0 " in text
    assert "<svg" in page
    assert "Content-Security-Policy" in page
