import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.data.dataset import Dataset
from audit.data.split import SplitSection, first_left, split, unlearnt
from probes.errors import DataError, RecipeError
from probes.texts import texts


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


def test_no_group_is_on_both_sides():
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
        (SplitSection(members=200, held_out=2), r"at least one sample per class \(4\)"),
    ],
)
def test_impossible_splits(section, message):
    with pytest.raises(RecipeError, match=message):
        split(dataset(), section, np.random.default_rng(0))


def test_one_class_is_nothing_to_classify():
    alone = dataclasses.replace(dataset(), labels=np.zeros(300, np.int64), classes=("a",))
    with pytest.raises(DataError, match="toy: has only one class"):
        split(alone, SplitSection(members=100, held_out=100), np.random.default_rng(0))


A, B = np.arange(0, 60), np.arange(60, 120)
MASK = np.arange(120) < 60
LABELS = np.arange(120) % 3


def test_a_class_that_no_member_has_is_said(tmp_path):
    without, one = (A[LABELS[A] != 2], B), (A[LABELS[A] == 0], B[LABELS[B] == 0])
    for (members, held_out), named in ((without, "2"), (one, "1, 2")):
        said = unlearnt(given(tmp_path, members=members, held_out=held_out), ("0", "1", "2"))
        assert [texts("en").say(one) for one in said] == [
            f"No member belongs to these classes, so no model could learn them: {named}."
        ]
    assert unlearnt(given(tmp_path, members=A, held_out=B), ("0", "1", "2")) == []


def test_indices_from_one_that_happen_to_fit_are_said(tmp_path):
    shifted = given(tmp_path, members=A + 1, held_out=B[:-1] + 1)
    assert [texts("en").say(one).partition(".")[0] for one in first_left(shifted)] == [
        "Sample 0 is in no part, but all others are"
    ]
    assert first_left(given(tmp_path, members=A, held_out=B)) == []
    assert first_left(given(tmp_path, members=A[1:], held_out=B[:-1])) == []


def given(tmp_path, **parts):
    np.savez(tmp_path / "s.npz", **parts)
    data = dataclasses.replace(dataset(120, 3), labels=LABELS)
    return split(data, SplitSection(file="s.npz"), np.random.default_rng(0), tmp_path)


@pytest.mark.parametrize(
    "parts",
    [
        {"members": A, "held_out": B},
        {"members": MASK, "held_out": ~MASK},
        {"members": MASK.astype(int), "held_out": (~MASK).astype(np.float32)},
        {"members": A.astype(float), "held_out": B[:, None]},
        {"members": A.astype(np.float16), "held_out": B.astype(np.uint64)},
    ],
)
def test_indices_and_masks_say_the_same_split(tmp_path, parts):
    pool = given(tmp_path, **parts)
    np.testing.assert_array_equal(pool.member, MASK)
    np.testing.assert_array_equal(pool.held_out, ~MASK)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (
            {"members": np.append(A, A[:9]), "held_out": B},
            "members contains samples more than once: 9",
        ),
        ({"members": A - 1, "held_out": B}, "-1 is not in 0 … 119"),
        ({"members": A + 1, "held_out": B[1:] + 1}, r"120 is not in 0 … 119\. Do they count from 1"),
        ({"members": np.append(A, 60), "held_out": B}, "members and held_out share samples: 1, the first sample 60"),
        ({"members": A, "held_out": B, "validation": A[:3]}, "members and validation share samples: 3"),
        ({"members": A[:0], "held_out": B}, "members is empty"),
        ({"members": A, "held_out": B[:0]}, "held_out is empty"),
        ({"train": A, "test": B}, "holds train, test, but no members"),
        ({"members": A + 0.5, "held_out": B}, "holds numbers that are not indices"),
        ({"members": A.astype(str), "held_out": B}, "members are text of shape"),
        ({"members": np.array([2**64 - 1], np.uint64), "held_out": B}, "18446744073709551615 is not in 0 … 119"),
        ({"members": MASK[:50], "held_out": B}, "a mask of 50 samples, but the data has 120"),
    ],
)
def test_mistaken_split_files_are_refused(tmp_path, parts, says):
    with pytest.raises(DataError, match=says):
        given(tmp_path, **parts)


@pytest.mark.parametrize(
    "made",
    [
        lambda members: [int(i) for i in np.flatnonzero(members)],
        lambda members: [float(i) for i in np.flatnonzero(members)],
        lambda members: [bool(one) for one in members],
        lambda members: [str(bool(one)) for one in members],
        lambda members: [int(one) for one in members],
    ],
)
def test_a_split_may_be_lists_of_indices_or_masks_in_json(tmp_path, made):
    members = np.arange(300) < 100
    content = {"members": made(members), "held_out": made(~members)}
    (tmp_path / "s.json").write_text(json.dumps(content), encoding="utf-8")
    pool = split(dataset(), SplitSection(file="s.json"), np.random.default_rng(0), tmp_path)
    np.testing.assert_array_equal(pool.member, members)
    np.testing.assert_array_equal(pool.held_out, ~members)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"members": [[1, 2]], "held_out": [3]}', "is not a split of 300 samples"),
        ('{"members": [1, [2]], "held_out": [3]}', "not a list of indices"),
        ('{"members": ["a"], "held_out": [3]}', "is not a split of 300 samples"),
        ('{"members": [1]}', "holds members, but no held_out"),
        ('{"members": [1], "held_out": [1]}', "share samples"),
        ('{"train": [1], "test": [2]}', "is not an audit record"),
        ('{"members": null, "held_out": [1]}', "not a list of indices"),
        ('{"members": [1e400], "held_out": [1]}', "is not a split of 300 samples"),
    ],
)
def test_mistaken_lists_are_one_line(tmp_path, content, says):
    (tmp_path / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=says) as caught:
        split(dataset(), SplitSection(file="s.json"), np.random.default_rng(0), tmp_path)
    assert "\n" not in str(caught.value)
