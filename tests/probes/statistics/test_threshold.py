"""True-positive rates at a false-positive rate that non-members estimate: is the interval corrected for the
threshold?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from probes.statistics.proportions import clopper_pearson
from probes.statistics.roc import tpr_at_fpr
from probes.statistics.threshold import at_true_fpr, tpr_at_true_fpr
from tests.probes.statistics.thresholds import WORLDS, World, coverage


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize(("side", "fpr"), [(80, 0.05), (100, 0.01), (600, 0.05)])
def test_the_interval_covers_the_rate_at_the_true_threshold(world: World, side: int, fpr: float) -> None:
    # Three standard errors of 150 runs are 5.3 %.
    assert coverage(world, side, fpr, 150)[1] >= 0.89


def test_as_if_the_threshold_were_known_is_not_enough() -> None:
    known, estimated = coverage(WORLDS["shifted by two"], 600, 0.01, 150)
    assert known < 0.7
    assert estimated >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("side", [50, 100, 200, 1000])
@pytest.mark.parametrize("fpr", [0.05, 0.01, 0.001])
def test_the_interval_covers_in_many_runs(world: World, side: int, fpr: float) -> None:
    assert coverage(world, side, fpr, 1000)[1] >= 0.93


def test_few_false_alarms_by_hand() -> None:
    """Of 40 others 2 may be above at 5 %; 0 to 6 of them lie above the true threshold but for 1.25 % on either side."""
    rng = np.random.default_rng(0)
    inside, others = rng.normal(2, 1, 30), rng.normal(0, 1, 40)
    found = tpr_at_true_fpr(np.concatenate([inside, others]), np.arange(70) < 30, 0.05)
    tail = 0.05 / 4
    fewest = next(k for k in range(41) if stats.binom.cdf(k, 40, 0.05) >= tail)
    most = next(k for k in range(41) if stats.binom.sf(k, 40, 0.05) <= tail)
    descending = np.sort(others)[::-1]
    assert (fewest, most) == (0, 6)
    assert found.value == (inside > descending[2]).mean()
    assert found.low == 0.0
    assert found.high == pytest.approx(clopper_pearson(int((inside > descending[most]).sum()), 30, 1 - 2 * tail)[1])


def test_many_false_alarms_by_hand() -> None:
    rng = np.random.default_rng(1)
    inside, others = rng.normal(1, 1, 300), rng.normal(0, 1, 400)
    score, member = np.concatenate([inside, others]), np.arange(700) < 300
    found, known = tpr_at_true_fpr(score, member, 0.05), tpr_at_fpr(score, member, 0.05)
    descending = np.sort(others)[::-1]
    lowest = (inside > descending[int(stats.binom.ppf(0.025, 400, 0.05)) - 1]).mean()
    highest = (inside > descending[int(stats.binom.isf(0.025, 400, 0.05))]).mean()
    assert found.value == known.value
    assert found.low == pytest.approx(known.value - math.hypot(known.value - known.low, known.value - lowest))
    assert found.high == pytest.approx(known.value + math.hypot(known.high - known.value, highest - known.value))
    assert found.counts is None


def test_ties_at_the_threshold_take_both_errors_whole() -> None:
    """One in five others shares a value near the threshold: the rate jumps there, and nothing is nearly normal."""
    rng = np.random.default_rng(2)
    score, member = np.round(rng.normal(0, 1, 1000)), np.arange(1000) < 500
    tied = tpr_at_true_fpr(score, member, 0.05)
    ends = [(score[member] > edge).mean() for edge in (2.0, 1.0)]
    assert tied.value == tpr_at_fpr(score, member, 0.05).value
    assert tied.low < ends[0] <= tied.high
    assert tied.high == pytest.approx(clopper_pearson(int((score[member] > 0).sum()), 500, 0.975)[1]) or (
        tied.high > ends[1]
    )


def test_any_rate_may_be_asked_for_at_the_threshold() -> None:
    """The ends come from the thresholds alone: a rate that is known exactly leaves the threshold's own error."""
    others = np.arange(1000.0)
    seen: list[float] = []

    def rate_at(threshold: float, level: float):  # type: ignore[no-untyped-def]
        seen.append(threshold)
        return tpr_at_fpr(np.array([1.0, 0.0]), np.array([True, False]), 0.5, level=level)

    at_true_fpr(others, 0.05, 0.95, rate_at)
    assert seen[0] == 949.0  # 50 of them are above
    assert [999 - s for s in seen[1:]] == [stats.binom.ppf(0.025, 1000, 0.05) - 1, stats.binom.isf(0.025, 1000, 0.05)]
