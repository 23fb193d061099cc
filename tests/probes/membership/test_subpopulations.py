"""The worst class against all of them counted, and attackers by what they have."""

from __future__ import annotations

from importlib.metadata import entry_points

import numpy as np
import pytest

from probes.membership import Membership
from probes.membership.attackers import ATTACKERS, LADDER, attackers_table
from probes.membership.subpopulations import worst
from probes.result import Table
from probes.statistics.roc import auc
from tests.probes.membership.worlds import World


def test_every_attack_of_the_ladder_is_somebodys() -> None:
    ours = {entry.name for entry in entry_points(group="audit.attacks") if entry.value.startswith("probes.")}
    assert set(LADDER) == ours
    assert set(LADDER.values()) == set(ATTACKERS)


def test_the_worst_class_is_the_one_that_leaks() -> None:
    rng = np.random.default_rng(0)
    member = rng.random(600) < 0.5
    of = rng.integers(0, 3, 600)
    score = rng.normal(size=600) + 2.0 * (member & (of == 2))
    strata = [(str(number), of == number) for number in range(3)]
    found = worst({"one": score, "other": rng.normal(size=600)}, member, strata, "checkpoint.worst_class_auc", 0.95)
    assert found is not None
    assert found.value == pytest.approx(auc(score[of == 2], member[of == 2]).value)
    assert found.low < auc(score[of == 2], member[of == 2]).low, "it is corrected for six comparisons"


def test_a_model_that_leaks_nowhere_has_no_class_that_surely_does() -> None:
    """100 models, 5 classes: the smallest end exceeds guessing in at most the share that the level allows."""
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        member, of = rng.random(400) < 0.5, rng.integers(0, 5, 400)
        strata = [(str(number), of == number) for number in range(5)]
        found = worst({"one": rng.normal(size=400)}, member, strata, "x", 0.95)
        assert found is not None
        alarms += found.low > 0.5
    assert alarms <= 7


def test_classes_that_are_too_small_are_left_out() -> None:
    member = np.arange(40) % 2 == 0
    strata = [("large", np.ones(40, dtype=bool)), ("small", np.arange(40) < 10)]
    assert worst({"one": np.zeros(40)}, member, strata, "x", 0.95) is None


def test_attackers_are_distinguished_by_what_they_know() -> None:
    member = np.arange(200) % 2 == 0
    rng = np.random.default_rng(2)
    scores = {"loss": rng.normal(size=200) + 0.5 * member, "lira-online": rng.normal(size=200) + 3.0 * member}
    table = attackers_table(scores, member, 0.01, 0.95)
    rows = dict(zip(table.columns["attacker"], table.columns["AUC"], strict=True))
    assert rows["somebody who knows data and recipe"] > rows["any user who sees confidences"] > 0.5
    assert rows["somebody who has the weights"] is None
    assert table.columns["attack"][0] == "not run"


def test_the_probe_shows_both_tables_and_gates_the_worst_class() -> None:
    result = Membership()(World(leak=4, seed=3, repeats=2, groups=2).evidence(), np.random.default_rng(0))
    tables = {figure.name: figure for figure in result.figures if isinstance(figure, Table)}
    assert {"attackers", "priors"} <= set(tables)
    assert result["checkpoint.worst_class_auc"].value >= result["checkpoint.auc"].value - 0.1
    assert result["checkpoint.worst_group_auc"].better == "lower"
    assert result["checkpoint.precision_at_1pct_fpr.prior_1_in_1000"].value < 0.2
