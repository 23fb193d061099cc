"""Replicas against power: the measured curve, and the table of the documentation it comes from."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from audit.cli.commands.plan import attack_power
from probes.statistics.replica_power import AUC, REPLICAS, TPR, power_share


def test_more_replicas_never_have_less_power() -> None:
    shares = [power_share(count) for count in (4, 5, 8, 11, 16, 31, 32, 100)]
    assert power_share(3) is None
    for one, other in pairwise(shares):
        assert one is not None
        assert other is not None
        assert other.auc[0] >= one.auc[0]
        assert other.tpr[0] >= one.tpr[0]
    assert shares[-1] is not None
    assert shares[-1].auc == shares[-1].tpr == (1.0, 1.0)


@pytest.mark.parametrize("transfer", AUC)
def test_the_curve_is_the_documented_one(transfer: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "membership.md").read_text(encoding="utf-8")
    row = re.search(rf"\| {transfer}[^|]*\|(?:.*\n){{3}}\| \| … with neighbours \|(.+)\|", text)
    assert row is not None
    told = [tuple(map(float, cell.split("/"))) for cell in row[1].split("|")]
    assert told == [(auc, round(100 * tpr, 1)) for auc, tpr in zip(AUC[transfer], TPR[transfer], strict=True)]
    assert len(told) == len(REPLICAS)


def test_the_plan_says_what_half_and_twice_the_replicas_would_give() -> None:
    half, all_of_them, twice = attack_power(8)
    assert half.startswith("4 replicas of the splits: 94 to 100 % of the attack's AUC above 0.5, 84 to 96 % of")
    assert all_of_them.startswith("8 replicas of the splits (planned)")
    assert twice.startswith("16 replicas")
    assert list(attack_power(0)) == []


def test_a_range_whose_ends_are_equal_is_one_number() -> None:
    *_, twice = attack_power(32)
    assert twice.startswith(
        "64 replicas of the splits: 100 % of the attack's AUC above 0.5, 100 % of the members found"
    )
