"""Looking often does not make the gate err more often."""

import datetime

import numpy as np
import pytest

from probes.plan import Row
from probes.result import Estimate, Result
from reports.gate.judge import judge
from reports.gate.sequential import Look, decided, described, gate_of, looks, single
from reports.gate.thresholds import Gate, Threshold
from reports.report import Verdict

TODAY = datetime.date(2026, 1, 1)
CHECKS = 3


def gate(bound: float) -> Gate:
    return Gate(
        thresholds=tuple(
            Threshold(probe="planted", estimate=f"recipe.{number}", direction="max", bound=bound)
            for number in range(CHECKS)
        )
    )


def judged(rounds: np.ndarray, look: Look, bound: float) -> Verdict:
    """Means over the rounds so far, of known variance 1: exact normal intervals."""
    means, error = rounds[: look.after].mean(0), look.after**-0.5
    estimates = tuple(
        Estimate(
            name=f"recipe.{number}",
            value=float(mean),
            low=float(mean - 1.959964 * error),
            high=float(mean + 1.959964 * error),
            level=0.95,
            n=look.after,
            unit="",
        )
        for number, mean in enumerate(means)
    )
    result = Result(probe="planted", params={}, estimates=estimates)
    return judge([result], look.gate(gate(bound)), today=TODAY)


def stopped(rounds: np.ndarray, planned: list[Look], bound: float) -> tuple[Verdict, Look]:
    for look in planned:
        verdict = judged(rounds, look, bound)
        if decided(verdict):
            break
    return verdict, look


def test_looks_double_and_spend_all_of_the_error_once() -> None:
    planned = looks(16)
    assert [look.after for look in planned] == [2, 4, 8, 16]
    assert [look.share for look in planned] == pytest.approx([1 / 64, 3 / 64, 12 / 64, 48 / 64])
    for rounds in (0, 1, 2, 3, 5, 8, 100):
        assert sum(look.share for look in looks(rounds)) == pytest.approx(1)
        assert looks(rounds)[-1].last
    assert single(8) == [Look(after=8, rounds=8, share=1.0)]
    assert looks(2) == single(2)


def test_a_look_has_whole_rounds() -> None:
    keep = np.zeros(4, dtype=bool)
    rows = [Row(design="splits", repeat=number // 2, fold=number % 2, order="", keep=keep) for number in range(8)]
    assert [len(look.rows(rows)) for look in looks(4)] == [4, 8]


@pytest.mark.parametrize("at", ["fail", "pass"])
def test_either_error_stays_within_five_per_cent_whatever_the_number_of_looks(at: str) -> None:
    """On the threshold both decisions are errors; a look at full level each time is the control, and errs more."""
    rng = np.random.default_rng(0)
    trials, paid, unpaid = 150, 0, 0
    for _ in range(trials):
        # To fail needs one check, to pass needs all: the other two are far within where passing is tried.
        rounds = rng.normal(size=(16, CHECKS)) - (np.array([0, 9, 9]) if at == "pass" else 0)
        paid += stopped(rounds, looks(16), 0.0)[0].status == at
        free = [Look(after=look.after, rounds=16, share=1.0) for look in looks(16)]
        unpaid += any(judged(rounds, look, 0.0).status == at for look in free)
    # 150 trials at 5 % give at most 14 with 99 %.
    assert paid <= 14 < unpaid


def test_what_is_plain_is_decided_early_and_what_is_not_takes_all() -> None:
    rng = np.random.default_rng(1)
    verdict, look = stopped(rng.normal(size=(16, CHECKS)) + 9, looks(16), 0.0)
    assert (verdict.status, look.after) == ("fail", 2)
    verdict, look = stopped(rng.normal(size=(16, CHECKS)) - 9, looks(16), 0.0)
    assert (verdict.status, look.after) == ("pass", 2)
    _, look = stopped(np.zeros((16, CHECKS)), looks(16), 0.0)
    assert look.last


def test_nothing_is_decided_where_nothing_was_checked() -> None:
    assert not decided(judge([], Gate(thresholds=()), today=TODAY))


def test_results_of_a_look_are_judged_again_by_what_it_may_spend() -> None:
    planned = looks(8)
    again = gate_of(gate(0.0), {"sequential": described(planned[1], planned)})
    assert again == planned[1].gate(gate(0.0))
    assert gate_of(gate(0.0), {}) == gate(0.0)
