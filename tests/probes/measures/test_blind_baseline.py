"""The blind baseline distinguishes parts that differ, and not random ones."""

from __future__ import annotations

import numpy as np
import pytest

from probes.measures.blind_baseline import blind_baseline
from probes.measures.most_different import most_different
from probes.statistics.roc import auc
from probes.statistics.stratified_auc import stratified_auc


def halves(n: int, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(n) < n // 2


def test_parts_that_differ_are_distinguished_linearly_or_not() -> None:
    rng = np.random.default_rng(0)
    part = halves(400, rng)
    shifted = rng.normal(size=(400, 3)) + 0.8 * part[:, None]
    wider = rng.normal(size=(400, 3)) * np.where(part, 2.5, 1.0)[:, None]
    for described in (shifted, wider):
        assert blind_baseline(described, part, rng).auc.low > 0.55


def test_with_few_samples_a_spread_and_one_column_of_many_are_told() -> None:
    """Of 120 samples, six columns that are wider by 0.6; of 240, one of a hundred that is shifted by 0.8."""
    wider, single = 0, 0
    for seed in range(5):
        rng = np.random.default_rng([7, seed])
        part = halves(120, rng)
        described = rng.normal(size=(120, 6)) * np.where(part, 1.6, 1.0)[:, None]
        wider += blind_baseline(described, part, rng, level=0.98).auc.low > 0.5
        part = halves(240, rng)
        described = rng.normal(size=(240, 100))
        described[part, 37] += 0.8
        single += blind_baseline(described, part, rng, level=0.98).auc.low > 0.5
    assert wider >= 4
    assert single >= 4


def test_columns_that_correlate_in_one_part_only_are_told_by_their_product() -> None:
    found = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        part, rows = rng.permutation(240) < 120, rng.normal(size=(240, 8))
        rows[part, 1] = 0.8 * rows[part, 0] + 0.6 * rows[part, 1]
        assert blind_baseline(rows[:, :1], part, rng).auc.low <= 0.5
        told = blind_baseline(rows, part, rng)
        assert told is not None
        found += told.auc.low > 0.5
    assert found >= 4


def test_the_most_different_property_of_random_parts_is_none() -> None:
    """Rare values and groups included: at most 3 of 60 at 1 % (p < 0.3 %)."""
    found = 0
    for seed in range(60):
        rng = np.random.default_rng([8, seed])
        part, groups = halves(80, rng), None
        described = np.hstack([rng.normal(size=(80, 20)), rng.random((80, 40)) < 0.03])
        if seed % 2:
            groups = np.arange(240) // 3
            part, described = part[groups], described[groups] + 0.1 * rng.normal(size=(240, 60))
        found += most_different(described, part, rng, groups=groups, level=0.99) is not None
    assert found <= 3


def test_random_parts_are_not_distinguished() -> None:
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        found.append(blind_baseline(rng.normal(size=(120, 4)), halves(120, rng), rng, level=0.98).auc)
    assert sum(one.low > 0.5 for one in found) <= 1
    assert abs(np.mean([one.value for one in found]) - 0.5) < 0.08


def test_a_split_by_groups_is_not_a_difference() -> None:
    """Ten samples of each of 60 people, who are recognised by their mates where folds do not keep them together."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(60), 10)
    part = halves(60, rng)[people]
    described = rng.normal(size=(60, 5))[people] + 0.1 * rng.normal(size=(600, 5))
    assert blind_baseline(described, part, rng).auc.low > 0.75
    assert blind_baseline(described, part, rng, groups=people).auc.low < 0.5


def test_too_few_samples_have_no_baseline() -> None:
    rng = np.random.default_rng(0)
    assert blind_baseline(rng.normal(size=(30, 2)), halves(30, rng), rng) is None
    assert blind_baseline(np.zeros((200, 0)), halves(200, rng), rng) is None


def test_one_stratum_is_the_plain_auc() -> None:
    rng = np.random.default_rng(0)
    member = halves(300, rng)
    score = rng.normal(size=300) + member
    one, plain = stratified_auc(score, member, np.zeros(300, dtype=np.int64)), auc(score, member)
    assert one.value == pytest.approx(plain.value)
    assert (one.low, one.high) == pytest.approx((plain.low, plain.high), abs=2e-3)


def test_pairs_inside_strata_know_nothing_of_what_differs_between_them() -> None:
    rng = np.random.default_rng(0)
    stratum = rng.integers(0, 10, 1000)
    member = rng.random(1000) < stratum / 10
    score = stratum + rng.normal(size=1000)
    assert auc(score, member).low > 0.6
    assert stratified_auc(score, member, stratum).low < 0.5 < stratified_auc(score, member, stratum).high


def test_clusters_widen_the_interval() -> None:
    """Each sample ten times over says no more than once."""
    rng = np.random.default_rng(0)
    member = halves(100, rng)
    score = rng.normal(size=100) + 0.5 * member
    once = stratified_auc(score, member, np.zeros(100, dtype=np.int64))
    ten = np.repeat(np.arange(100), 10)
    many = stratified_auc(score[ten], member[ten], np.zeros(1000, dtype=np.int64), cluster=ten)
    assert many.value == pytest.approx(once.value)
    assert many.high - many.low == pytest.approx(once.high - once.low, rel=0.02)


def test_a_difference_in_one_of_many_columns_is_found_and_chance_is_not() -> None:
    """Of 600 columns, one that is shifted, or wider, far behind the first ones; which are looked at is chosen inside
    the folds, so that random parts stay random."""
    rng = np.random.default_rng(2)
    part = halves(300, rng)
    plain = rng.normal(size=(300, 600))
    random = blind_baseline(plain, part, rng, level=0.98)
    assert random is not None
    assert random.auc.low <= 0.5
    for changed in (plain[:, 500] + 1.5 * part, plain[:, 500] * np.where(part, 4.0, 1.0)):
        described = plain.copy()
        described[:, 500] = changed
        found = blind_baseline(described, part, rng)
        assert found is not None
        assert found.auc.low > 0.5
