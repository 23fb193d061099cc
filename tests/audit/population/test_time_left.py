"""The time left is each engine's own."""

from __future__ import annotations

from itertools import accumulate

import pytest

from audit.population.time_left import Pace


def test_fast_heads_promise_nothing_of_whole_networks() -> None:
    ticks = accumulate([0.0, 1.0, 3.0, 60.0, 80.0, 70.0])
    pace = Pace({"head": 2, "full": 3}, clock=lambda: next(ticks))
    assert pace.after("head") is None
    assert pace.after("head") is None
    assert pace.after("full") == pytest.approx(2 * 60)
    assert pace.after("full") == pytest.approx(70)
    assert pace.after("full") == 0


def test_more_than_was_foreseen_leaves_nothing() -> None:
    ticks = accumulate([0.0, 5.0, 5.0])
    pace = Pace({"full": 1}, clock=lambda: next(ticks))
    assert pace.after("full") == 0
    assert pace.after("full") == 0
