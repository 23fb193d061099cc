"""Leakage by person: forty persons, some of whom are memorised."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.evidence import Evidence
from probes.membership.person import person_part
from probes.membership.persons import Persons, persons_of
from probes.membership.recipe_level import stand_ins
from probes.membership.recognition_rates import simultaneous
from probes.partial_result import Part
from probes.statistics.proportions import clopper_pearson
from tests.probes.membership.persons import Crowd, coverage

REMEMBERED = 4


def part_of(evidence: Evidence) -> Part:
    stood = stand_ins(evidence, evidence.population) if len(np.unique(evidence.population.order)) > 1 else {}
    own = {"loss": evidence.audited.margin[0].astype(np.float64)}
    return person_part(evidence, evidence.population, own, stood, 0.95)


@pytest.fixture(scope="module")
def leaking() -> Evidence:
    return Crowd(leak=3.0, remembered=REMEMBERED).evidence()


@pytest.fixture(scope="module")
def found(leaking: Evidence) -> Part:
    return part_of(leaking)


def test_records_of_a_person_score_together_as_a_loop_says(leaking: Evidence) -> None:
    persons = persons_of(leaking)
    assert persons is not None
    scores = np.random.default_rng(0).normal(size=(3, len(persons.of_record)))
    together = persons.together(scores)
    for who in range(len(persons.numbers)):
        mine = scores[:, persons.of_record == who]
        np.testing.assert_allclose(together["mean"][:, who], mine.mean(axis=1))
        np.testing.assert_array_equal(together["best"][:, who], mine.max(axis=1))


def test_a_person_on_both_sides_of_the_split_is_left_out(leaking: Evidence) -> None:
    groups = leaking.pool.groups
    assert groups is not None
    of_one = np.flatnonzero(leaking.pool.member)[0]
    mixed = np.where(groups == groups[of_one], groups[np.flatnonzero(leaking.pool.held_out)[0]], groups)
    evidence = dataclasses.replace(leaking, pool=dataclasses.replace(leaking.pool, groups=mixed))
    persons = persons_of(evidence)
    assert persons is not None
    assert persons.left_out == 1
    assert len(persons.numbers) == 38
    assert (persons.of_record == -1).sum() == (mixed == mixed[of_one]).sum()


def test_exactly_the_memorised_persons_are_named_with_all_their_records(leaking: Evidence, found: Part) -> None:
    finding = found.findings[0]
    assert finding.code == "membership.persons-singled-out"
    assert finding.values["count"] == REMEMBERED
    groups = leaking.pool.groups
    assert groups is not None
    assert sorted(finding.samples) == np.flatnonzero(groups < REMEMBERED).tolist()
    table = found.figures[0]
    assert set(table.columns["person"][:REMEMBERED]) == {f"patient {number}" for number in range(REMEMBERED)}


def test_the_worst_person_and_record_have_intervals_that_pay_for_all(found: Part) -> None:
    by_name = {one.name: one for one in found.estimates}
    worst = by_name["person.worst_exposure"]
    assert worst.low < 3.0 < worst.high
    assert worst.low > 1.5
    assert by_name["person.worst"].value == 1.0
    assert by_name["person.worst"].high == 1.0
    assert 0.01 < by_name["person.worst_record"].low < by_name["person.worst_record"].value
    assert {one.name: one.counted for one in found.estimates}["person.worst_record"] == "samples"
    assert all(one.counted == "persons" for one in found.estimates if one.name != "person.worst_record")
    assert by_name["person.singled_out"].n == 20


def test_no_person_is_named_where_none_is_memorised() -> None:
    part = part_of(Crowd(leak=0.0, remembered=0, repeats=4).evidence())
    assert part.findings[0].code == "membership.persons-quiet"
    assert part.findings[0].severity == "info"


def test_simultaneous_intervals_are_clopper_pearsons_at_a_share_of_the_error() -> None:
    low, high = simultaneous(np.array([3 / 8, 1.0]), np.array([8.0, 8.0]), 0.95)
    np.testing.assert_allclose([low[0], high[0]], clopper_pearson(3, 8, 0.975))
    np.testing.assert_allclose([low[1], high[1]], clopper_pearson(8, 8, 0.975))


def test_what_is_missing_is_said(leaking: Evidence) -> None:
    without = dataclasses.replace(leaking, pool=dataclasses.replace(leaking.pool, groups=None))
    assert [note.code for note in part_of(without).notes] == ["membership.no-persons"]
    three = dataclasses.replace(leaking.pool, groups=(~leaking.pool.member).astype(np.int64))
    assert [note.code for note in part_of(dataclasses.replace(leaking, pool=three)).notes] == ["membership.few-persons"]
    two = part_of(Crowd(leak=3.0, remembered=1, repeats=2).evidence())
    assert [one.name for one in two.estimates] == ["person.auc"]
    assert [note.code for note in two.notes] == ["membership.persons-need-replicas"]


def test_left_out_records_have_no_place() -> None:
    persons = Persons(numbers=np.array([7]), member=np.array([True]), of_record=np.array([0, -1, 0]), left_out=1)
    assert persons.records.tolist() == [2]
    assert persons.together(np.array([1.0, 9.0, 3.0]))["mean"].tolist() == [2.0]


@pytest.mark.slow
@pytest.mark.parametrize(("leak", "remembered", "repeats"), [(0.0, 0, 4), (0.0, 0, 8), (0.7, 8, 8), (3.0, 1, 4)])
def test_intervals_of_the_worst_cover_and_the_innocent_are_not_named(
    leak: float, remembered: int, repeats: int
) -> None:
    held = coverage(leak, remembered, repeats, draws=200)
    print(leak, remembered, repeats, held)
    assert min(held[name] for name in ("person.worst", "person.worst_record", "person.worst_exposure")) >= 0.93
    assert held["wrongly"] <= 0.05 + 0.03
