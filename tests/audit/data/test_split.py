import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.dataset import Dataset
from audit.data.split import SplitSection, split
from probes.errors import DataError, RecipeError


def dataset(n: int = 300, classes: int = 4, **more) -> Dataset:
    labels = np.random.default_rng(0).integers(0, classes, n)
    return Dataset(
        name="toy",
        inputs=np.zeros((n, 2), dtype=np.float32),
        labels=labels,
        classes=tuple(map(str, range(classes))),
        modality="table",
        **more,
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 150), st.integers(10, 100), st.integers(0, 50), st.integers(0, 9))
def test_parts_have_their_sizes_are_disjoint_and_stratified(members, held_out, validation, seed):
    data = dataset()
    section = SplitSection(members=members, held_out=held_out, validation=validation)
    pool = split(data, section, np.random.default_rng(seed))
    assert (pool.member.sum(), pool.held_out.sum(), pool.validation.sum()) == (members, held_out, validation)
    assert not (pool.member & pool.held_out).any()
    assert not (pool.validation & (pool.member | pool.held_out)).any()
    for label in range(4):
        share = (data.labels == label).mean()
        assert abs((data.labels[pool.member] == label).sum() - share * members) <= 2


def test_fractions_are_shares():
    pool = split(dataset(), SplitSection(members=0.5, held_out=0.25), np.random.default_rng(0))
    assert (pool.member.sum(), pool.held_out.sum()) == (150, 75)


def test_same_seed_same_split():
    section = SplitSection(members=100, held_out=100)
    one, same = (split(dataset(), section, np.random.default_rng(1)) for _ in range(2))
    other = split(dataset(), section, np.random.default_rng(2))
    assert (one.member == same.member).all()
    assert (one.member != other.member).any()


def test_no_group_stands_on_two_sides():
    groups = np.random.default_rng(0).integers(0, 40, 300)
    pool = split(
        dataset(groups=groups), SplitSection(members=120, held_out=90, validation=50), np.random.default_rng(0)
    )
    parts = [set(groups[mask]) for mask in (pool.member, pool.held_out, pool.validation)]
    assert not parts[0] & parts[1]
    assert not parts[2] & (parts[0] | parts[1])


def test_time_goes_forward():
    times = np.random.default_rng(0).permutation(300)
    pool = split(dataset(times=times), SplitSection(members=150, held_out=100), np.random.default_rng(0))
    assert times[pool.member].max() < times[pool.held_out].min()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (SplitSection(members=200, held_out=150), r"= 350, but toy has 300 samples"),
        (SplitSection(members=200, held_out=2), r"at least one sample a class \(4\)"),
    ],
)
def test_impossible_splits(section, message):
    with pytest.raises(RecipeError, match=message):
        split(dataset(), section, np.random.default_rng(0))


def test_one_class_is_nothing_to_classify():
    alone = dataclasses.replace(dataset(), labels=np.zeros(300, np.int64), classes=("a",))
    with pytest.raises(DataError, match="toy: has one class"):
        split(alone, SplitSection(members=100, held_out=100), np.random.default_rng(0))
