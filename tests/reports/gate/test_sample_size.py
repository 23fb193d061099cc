"""The suggested sample size decides a check as often as stated."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from probes.message import Message
from probes.result import Estimate, Result
from probes.statistics.confidence_level import p_beyond
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.proportions import proportion
from probes.texts import texts
from reports.gate.judge import judge
from reports.gate.sample_size import ON_IT, what_decides
from reports.gate.thresholds import Gate, Threshold
from tests.reports.sample import TODAY, estimate


def mean_of(values: np.ndarray) -> Estimate:
    half = 1.959964 * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return Estimate(name="checkpoint.a", value=mean, low=mean - half, high=mean + half, n=len(values), unit="x")


def status(one: Estimate, bound: float) -> str:
    gate = Gate(thresholds=(Threshold(probe="p", estimate=one.name, direction="max", bound=bound),))
    return judge([Result(probe="p", params={}, estimates=(one,))], gate, today=TODAY).status


def said(one: Estimate, bound: float, **params: object) -> str:
    gate = Gate(thresholds=(Threshold(probe="p", estimate=one.name, direction="max", bound=bound),))
    result = Result(probe="p", params=params, estimates=(one,))  # type: ignore[arg-type]
    return texts("en").say(judge([result], gate, today=TODAY).checks[0].because)


def test_so_many_samples_decide_four_times_of_five() -> None:
    rng = np.random.default_rng(0)
    seen = rng.standard_normal(50)
    seen = (seen - seen.mean()) / seen.std(ddof=1) + 0.1
    text = said(mean_of(seen), 0.0)
    needed = re.search(r"About (\d+) samples instead of 50 ", text)
    assert needed is not None, text
    drawn = [status(mean_of(0.1 + rng.standard_normal(int(needed[1]))), 0.0) for _ in range(1000)]
    # 1,000 draws at 80 %: outside 76.7 to 83.3 % has a probability below 1 %.
    assert 767 <= drawn.count("fail") <= 833


def test_folds_share_training_samples_so_no_number_of_them_may_do() -> None:
    rng = np.random.default_rng(1)
    folds = rng.standard_normal(8)
    folds = 0.02 * (folds - folds.mean()) / folds.std(ddof=1) + 0.115
    halves = nadeau_bengio("gap", folds, n_train=1.0, n_test=1.0)
    assert halves.fixed_share == pytest.approx(1 / (1 / 8 + 1))
    assert "No number of folds would decide it" in said(halves, 0.1, repeats=4)
    twentieths = dataclasses.replace(nadeau_bengio("gap", folds, n_train=19.0, n_test=1.0), grown_by="repeats")
    text = said(twentieths, 0.101, repeats=4)
    more = re.search(r"About (\d+) folds instead of 8 .* Try --set probes.p.repeats=(\d+)\.", text)
    assert more is not None, text
    assert int(more[2]) == pytest.approx(int(more[1]) / 2, abs=1)


def test_a_value_on_its_threshold_is_decided_by_nothing() -> None:
    assert what_decides(estimate("a", 0.5, 0.1), 0.5, 0.05, "p", {}) == ON_IT


@pytest.mark.parametrize("seen", [*range(3, 41)])
def test_none_of_a_few_needs_fifty_nine_against_five_percent(seen: int) -> None:
    """0.95^59 is the first power of 0.95 below 5 %."""
    none = proportion("share", 0, seen)
    assert texts("en").say(what_decides(none, 0.05, 0.05, "p", {})).startswith(f"About 59 samples instead of {seen} ")
    assert status(proportion("share", 0, 58), 0.05) == "undecided"
    assert status(proportion("share", 0, 59), 0.05) == "pass"


@pytest.mark.parametrize(
    ("k", "n", "bound"), [(1, 40, 0.05), (5, 60, 0.05), (9, 100, 0.05), (3, 12, 0.4), (15, 20, 0.5)]
)
def test_so_many_counted_things_decide_four_times_of_five(k: int, n: int, bound: float) -> None:
    needed = re.search(r"About (\d+) ", texts("en").say(what_decides(proportion("share", k, n), bound, 0.05, "p", {})))
    assert needed is not None

    def decided(trials: int) -> float:
        """The exact probability, count by count."""
        chance = stats.binom.pmf(range(trials + 1), trials, k / n)
        side = "below" if k / n < bound else "above"
        told = [p_beyond(proportion("share", one, trials), bound, side) <= 0.05 for one in range(trials + 1)]
        return float(chance[told].sum())

    assert decided(int(needed[1])) >= 0.8
    if int(needed[1]) <= 100:
        assert all(decided(fewer) < 0.8 for fewer in range(n, int(needed[1])))


def least_by_trying(k: int, n: int, bound: float, alpha: float, most: int) -> int | None:
    """Each number of trials in turn, with its critical count found among all counts."""
    trials = np.arange(n, most + 1)
    if k / n > bound:
        count = stats.binom.isf(alpha, trials, bound) + 1
        power = stats.binom.sf(count - 1, trials, k / n)
    else:
        count = stats.binom.ppf(alpha, trials, bound)
        count = np.where(stats.binom.cdf(count, trials, bound) <= alpha, count, count - 1)
        power = np.where(count >= 0, stats.binom.cdf(count, trials, k / n), 0.0)
    found = np.flatnonzero(power >= 0.8)
    return int(trials[found[0]]) if len(found) else None


def disagreements(sizes: Iterable[int], most: int) -> list[tuple[object, ...]]:
    wrong: list[tuple[object, ...]] = []
    for bound, alpha, n in itertools.product((0.01, 0.02, 0.05, 0.1), (0.05, 0.025), sizes):
        for k in sorted({min(one, n) for one in (0, 1, 2, 3, n // 20, n // 10, n // 5, n // 2, n)}):
            known = least_by_trying(k, n, bound, alpha, most)
            if known is None or abs(k / n - bound) < 1e-12:
                continue
            told = what_decides(proportion("share", k, n), bound, alpha, "p", {})
            if told.values.get("needed", 0) != known and known <= 1000 * n:
                wrong.append((k, n, bound, alpha, told.values.get("needed"), known))
    return wrong


def test_small_shares_need_what_trying_each_number_finds() -> None:
    assert disagreements((5, 40, 350), 2000) == []


@pytest.mark.slow
def test_shares_of_up_to_four_hundred_need_what_trying_each_number_finds() -> None:
    assert disagreements(range(1, 401), 20_000) == []


def test_copies_are_taken_out_not_counted_more_exactly() -> None:
    advice = Message("gate.take-copies-out")
    some = dataclasses.replace(proportion("contaminated_share", 3, 60), decided_by=advice)
    assert "Remove the copies" in texts("en").say(what_decides(some, 0.05, 0.05, "contamination", {}))
    none = dataclasses.replace(proportion("contaminated_share", 0, 20), decided_by=advice)
    assert "About 59" in texts("en").say(what_decides(none, 0.05, 0.05, "contamination", {}))


def test_the_parameter_that_the_estimate_says_n_grows_with_is_named() -> None:
    one = estimate("checkpoint.a", 0.45, 0.1, n=64, grown_by="deleted")
    text = said(one, 0.5, deleted=64, samples=24)
    needed = re.search(r"About (\d+) samples instead of 64 .* Try --set probes.p.deleted=(\d+)\.", text)
    assert needed is not None, text
    assert needed[1] == needed[2]
    assert "Try" not in said(one, 0.5, samples=64)
    assert "Try" not in said(dataclasses.replace(one, grown_by=None), 0.5, deleted=64)
