"""The section 'against the baseline' in every format."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from reports.comparison.compare import compare
from reports.document.comparison import against
from reports.formats import console, html, markdown
from reports.report import Report
from reports.wording.catalogue import words
from tests.reports.simulated import HELD_OUT, MEMBERS, audit


def compared(**new: float) -> Report:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=MEMBERS + HELD_OUT)
    old, now = audit(rng, hard), audit(rng, hard, **new)  # type: ignore[arg-type]
    return dataclasses.replace(now, comparison=compare(old, now))


@pytest.fixture(scope="module")
def worse() -> Report:
    return compared(skill=0.6, leak=1.8)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_format_says_what_got_worse(worse: Report, lang: str) -> None:
    assert worse.comparison is not None
    text = against(worse.comparison, words(lang))
    assert text.status == "fail"
    assert text.rows[0].status == "worse"
    title = text.rows[0].title
    page, (plain, _) = html.render(worse, lang=lang), markdown.render(worse, lang=lang)
    for shown in (page, plain, markdown.summary(worse, lang=lang)):
        assert title in shown
        assert words(lang)("change", "worse") in shown


def test_nothing_worse_is_said_too() -> None:
    report = compared()
    assert report.comparison is not None
    assert against(report.comparison, words("en")).sentence.endswith("differs beyond noise.")
    assert "estimates differs beyond noise" in markdown.render(report)[0]


def test_no_baseline_no_section() -> None:
    report = dataclasses.replace(compared(), comparison=None)
    assert "gainst the baseline" not in markdown.render(report)[0] + html.render(report)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("every", [True, False])
def test_table_fits_80_columns(worse: Report, lang: str, every: bool) -> None:
    assert worse.comparison is not None
    out = io.StringIO()
    say = words(lang)
    Console(file=out, width=80).print(console.against_table(against(worse.comparison, say), say, every=every))
    lines = out.getvalue().splitlines()
    assert max(cell_len(line) for line in lines) <= 80
    assert any(say("change", "worse") in line for line in lines)
    assert any(say("change", "same")[:5] in line for line in lines) == every
    worst = against(worse.comparison, say).rows[0]
    assert all(any(number in line for line in lines) for number in (worst.old, worst.new, worst.change, worst.interval))


def test_changes_of_shares_are_percentage_points(worse: Report) -> None:
    assert worse.comparison is not None
    rows = against(worse.comparison, words("en")).rows
    accuracy = next(row for row in rows if row.name.endswith("checkpoint.held_out_accuracy"))
    assert accuracy.change.startswith("−")
    assert accuracy.change.endswith(" pp")
    assert accuracy.old.endswith(" %")
