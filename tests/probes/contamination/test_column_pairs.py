"""Two columns that give the label away together, tables that are merely easy, and what the search says it left out."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pytest

from audit.config.audit_config import Config
from probes.contamination import pair_screens
from probes.contamination.column_leakage import leaking_column
from probes.contamination.column_pairs import Search, leaking_pair
from probes.contamination.labelled_table import LabelledTable, columns_of
from probes.result import Result, Table
from reports.gate.judge import judge
from tests.probes.contamination.column_rules import PLANTED, easy, planted
from tests.probes.contamination.untrained import audit, codes, dummies, halves


def searched(table: np.ndarray, labels: np.ndarray, seed: int = 0, names: tuple[str, ...] = ()) -> tuple[Search, float]:
    """The search, and the AUC of the best single column."""
    rng = np.random.default_rng(seed)
    member = halves(len(labels), rng)
    columns = columns_of(table, names or tuple(str(i) for i in range(table.shape[1])))
    labelled = LabelledTable(values=table, columns=columns, labels=labels, member=member, held_out=~member)
    one = leaking_column(labelled, rng, 0.95)
    assert one is not None
    return leaking_pair(labelled, rng, 0.95, one.others), one.estimate.value


QUICK = {
    "signs differ",
    "x > y, a millionth apart",
    "(x + y) mod 4",
    "one missing, not both",
    "two units, a little apart",
}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in PLANTED]
)
def test_two_columns_that_give_the_label_away_are_found_where_neither_does(name: str) -> None:
    table, labels = planted(PLANTED[name], np.random.default_rng(5), 1600 if name in QUICK else 4000, 9)
    found, alone = searched(table, labels)
    assert found.searched == found.pairs == 36
    assert found.judged is not None
    assert found.judged.value > 0.97
    assert alone < 0.95
    assert found.alone < 0.92


def test_finding_gate_and_table_name_both_columns() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.choice(list("abc"), 400), rng.choice(list("xy"), 400)
    labels = np.unique(np.char.add(first, second), return_inverse=True)[1]
    told, named = dummies(list(first))
    other, others = dummies(list(second))
    names = ("u", "v", *named, *(name.replace("status", "branch") for name in others))
    table = np.hstack([rng.normal(size=(400, 2)), told, other])
    result = audit(table, halves(400, rng), labels, modality="table", feature_names=names)
    finding = next(one for one in result.findings if one.code == "contamination.leaking-pair")
    assert {finding.values["first"], finding.values["second"]} == {"status", "branch"}
    assert "contamination.leaking-column" not in codes(result)
    assert [set(pair) for pair in _pairs(result)] == [{"status", "branch"}]
    default = Config().gate()
    mine = tuple(one for one in default.thresholds if one.estimate == "leaking_pair_accuracy")
    verdict = judge([result], dataclasses.replace(default, thresholds=mine), today=datetime.date(2026, 1, 1))
    assert verdict.status in ("fail", "undecided")


def _pairs(result: Result) -> list[tuple[object, object]]:
    table = next(one for one in result.figures if isinstance(one, Table) and one.name == "pairs")
    return list(zip(table.columns["first column"], table.columns["second column"], strict=True))


@pytest.mark.parametrize("apart", [1.0, 2.0])
def test_an_easy_task_is_not_a_pair_that_gives_the_label_away(apart: float) -> None:
    assert searched(*easy(np.random.default_rng(7), 400, apart))[0].judged is None


def test_many_pairs_of_few_samples_of_noise_are_not_accused() -> None:
    rng = np.random.default_rng(11)
    found, _ = searched(rng.integers(0, 2, (60, 120)).astype(np.float64), rng.permutation(np.arange(60) % 2))
    assert found.searched == 120 * 119 // 2
    assert found.judged is None


def test_a_column_that_suffices_alone_is_not_told_as_a_pair_too() -> None:
    rng = np.random.default_rng(13)
    labels = rng.integers(0, 2, 400)
    table = np.column_stack([labels + rng.normal(0, 0.01, 400), rng.normal(size=(400, 4))])
    found, alone = searched(table, labels)
    assert alone > 0.99
    assert found.judged is None


def test_a_table_of_two_columns_is_its_task() -> None:
    table, labels = planted(PLANTED["exclusive or"], np.random.default_rng(5), 300, 2)
    found, _ = searched(table, labels)
    assert (found.searched, found.pairs, found.judged) == (0, 1, None)


def test_pairs_that_were_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_screens, "MOST_BINS", 30)
    table, labels = planted(PLANTED["signs differ"], np.random.default_rng(5), 300, 9)
    result = audit(
        table, halves(300, np.random.default_rng(1)), labels, modality="table", feature_names=tuple("abcdefghi")
    )
    note = next(one for one in result.notes if getattr(one, "code", "") == "contamination.pairs-of-the-best")
    assert not isinstance(note, str)
    assert note.values["pairs"] == 36
    assert 0 < int(str(note.values["searched"])) < 36


def test_missing_infinite_huge_and_constant_numbers_are_searched_without_a_warning() -> None:
    rng = np.random.default_rng(17)
    table, labels = planted(PLANTED["exclusive or"], rng, 300, 8)
    plain = [i for i in range(8) if len(np.unique(table[:, i])) > 2]
    table[::3, plain[0]], table[::5, plain[1]], table[:, plain[2]] = np.nan, np.inf, 4.0
    table[:, plain[3]] *= 1e300
    table[:, plain[5]] *= 1e-300
    table[:, plain[4]] = np.nan
    found, _ = searched(table, labels)
    assert found.judged is not None
    assert found.judged.value == 1.0
