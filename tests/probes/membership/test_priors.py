"""Precision at a prior against Bayes counted out, and the table that a data-protection officer reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.membership.priors import PRIORS, at_priors, precision_at, priors_table
from probes.membership.strongest_attack import precision
from probes.result import Estimate
from probes.texts import said

RATE = Estimate(name="checkpoint.tpr_at_1pct_fpr", value=0.2, low=0.1, high=0.4, n=200, unit="TPR")


@given(
    persons=st.integers(10, 10_000).map(lambda n: 1000 * n),
    prior=st.sampled_from(PRIORS),
    tpr=st.floats(0.0, 1.0),
    fpr=st.floats(1e-4, 0.5),
)
def test_it_is_the_share_of_members_among_those_named(persons: int, prior: int, tpr: float, fpr: float) -> None:
    members = persons / prior
    rightly, wrongly = tpr * members, fpr * (persons - members)
    assert precision_at(tpr, fpr, 1 / prior) == pytest.approx(rightly / (rightly + wrongly))


def test_where_half_are_members_it_is_the_pools_own_precision() -> None:
    same = precision(RATE, 100, 100, 0.01, "x")
    found = at_priors(RATE, 0.01)[0]
    assert (found.value, found.low, found.high) == pytest.approx((same.value, same.low, same.high))


def test_an_attack_that_guesses_tells_no_more_than_the_prior() -> None:
    assert [precision_at(0.01, 0.01, 1 / prior) for prior in PRIORS] == pytest.approx([1 / 2, 1 / 10, 1 / 1000])


def test_the_interval_keeps_its_order_and_its_level() -> None:
    for one in at_priors(RATE, 0.001):
        assert one.low < one.value < one.high
        assert one.level == RATE.level


def test_the_table_says_how_many_are_singled_out_at_which_prior() -> None:
    table = priors_table([(0.01, RATE)], members=200)
    assert [said(one) for one in table.columns["members singled out"]] == ["40 of 200"] * 3
    assert table.columns["prior"] == ["1 in 2", "1 in 10", "1 in 1000"]
    assert table.columns["precision"] == [0.9524, 0.6897, 0.0196]
