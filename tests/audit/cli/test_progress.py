"""The output of a run: progress bars in a terminal, one line per stage elsewhere, nothing if it is to be quiet."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from audit.cli.progress import Live
from audit.population.populate import Progress
from probes.result import Failure, Finding, Result


def follow(console: Console, *, quiet: bool = False) -> str:
    """The events of a short run, as the live view receives them."""
    with Live(console, quiet=quiet) as live:
        live.epoch("target", 1, 1, {"train_accuracy": 0.5})
        live.replicas(Progress(done=0, total=4, cached=0, seconds_left=None, engine="head"))
        live.replicas(Progress(done=2, total=4, cached=0, seconds_left=90.0, engine="head"))
        if console.is_terminal:
            live.progress.refresh()
        live.probing("membership")
        finding = Finding(code="membership.leaks", severity="high", claim="It leaks.")
        hidden = Finding(code="membership.quiet", severity="info", claim="Nothing of note.")
        for _ in range(2):  # an audit that may stop early looks again
            live.result(Result(probe="membership", params={}, estimates=(), findings=(finding, hidden)))
        live.probing("drift")
        live.result(Failure(probe="drift", error="ValueError", message="planted"))
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue()


def test_a_log_has_a_line_a_stage_and_leaves_what_was_found_to_the_table() -> None:
    lines = follow(Console(file=io.StringIO(), width=80)).splitlines()
    assert lines == [
        "train target: 1 to do",
        "train replicas: 4 to do",
        "probe membership",
        "  membership: done, findings: 1 high",
        "probe drift",
        "  drift failed: ValueError: planted",
    ]


def test_a_terminal_shows_what_is_done_and_the_time_left() -> None:
    shown = follow(Console(file=io.StringIO(), width=80, force_terminal=True))
    assert "2/4" in shown
    assert "about 1m30s left" in shown
    assert "probe membership" in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_the_name_of_a_probe_is_whole(terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=terminal)
    with Live(console, quiet=False) as live:
        live.probing("attribute_inference")
        if terminal:
            live.progress.refresh()
    assert "probe attribute_inference" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_log_hears_once_a_minute_how_far_a_stage_is() -> None:
    file = io.StringIO()
    now = iter(range(0, 600, 25))  # a look at the clock takes 25 s
    with Live(Console(file=file, width=80), quiet=False, clock=lambda: float(next(now))) as live:
        for done in range(9):
            live.epoch("target", done, 8, {"train_accuracy": 0.5})
    assert file.getvalue().splitlines() == [
        "train target: 8 to do",
        "  3 of 8, acc 0.50",
        "  6 of 8, acc 0.50",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_says_nothing(terminal: bool) -> None:
    assert follow(Console(file=io.StringIO(), width=80, force_terminal=terminal), quiet=True).strip() == ""
