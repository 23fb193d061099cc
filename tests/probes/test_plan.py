from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import EvidenceError
from probes.plan import Plan, Pool, Rivals, Row, Seeds, Shuffled, Sizes, Splits, Subsamples


def pool(members: int = 80, held_out: int = 20, classes: int = 4, groups: int = 0, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    n = members + held_out + 10
    part = rng.permutation(np.repeat([0, 1, 2], [members, held_out, 10]))
    return Pool(
        labels=rng.integers(0, classes, n),
        member=part == 0,
        held_out=part == 1,
        validation=part == 2,
        groups=rng.integers(0, groups, n) if groups else None,
    )


def rows(design: Splits | Sizes | Seeds | Shuffled | Subsamples | Rivals, one: Pool, seed: int = 0) -> list[Row]:
    return list(design.rows(one, np.random.default_rng(seed)))


@given(members=st.integers(20, 120), held_out=st.integers(20, 120), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_folds_match_the_size_and_every_sample_is_out_once_a_repeat(members: int, held_out: int, seed: int) -> None:
    one = pool(members, held_out, seed=seed)
    found = rows(Splits(repeats=2), one, seed)
    k = one.matched_folds
    assert k == max(2, round(1 / (1 - members / (members + held_out))))
    assert len(found) == 2 * k
    for repeat in range(2):
        out = sum((~row.keep[one.indices]).astype(int) for row in found if row.repeat == repeat)
        assert (out == 1).all()
    sizes = [int(row.keep.sum()) for row in found]
    assert max(sizes) - min(sizes) <= 1
    assert not any(row.keep[one.validation].any() for row in found)


def test_folds_are_stratified_to_within_one() -> None:
    one = pool(150, 150, classes=5)
    for row in rows(Splits(repeats=3, folds=5), one):
        for label in range(5):
            mine = one.indices[one.labels[one.indices] == label]
            out = int((~row.keep[mine]).sum())
            assert abs(out - len(mine) / 5) <= 1


def test_no_group_on_both_sides() -> None:
    one = pool(100, 100, groups=17)
    assert one.groups is not None
    for row in rows(Splits(repeats=2, folds=4), one):
        inside = set(one.groups[row.keep].tolist())
        outside = set(one.groups[one.indices[~row.keep[one.indices]]].tolist())
        assert not inside & outside


def test_a_union_is_a_maximum_not_a_sum() -> None:
    plan = Plan.of(Splits(repeats=4), Seeds(replicas=2)) | Plan.of(Splits(repeats=8), Sizes(shares=(0.5,)))
    plan = plan | Plan.of(Sizes(shares=(0.25,), repeats=2))
    assert {design.name: design for design in plan.designs} == {
        "splits": Splits(repeats=8),
        "seeds": Seeds(replicas=2),
        "sizes": Sizes(shares=(0.25, 0.5), repeats=4),
    }


def test_more_repeats_leave_the_first_as_they_were() -> None:
    few, many = rows(Splits(repeats=2), pool()), rows(Splits(repeats=5), pool())
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.keep, other.keep)


@pytest.mark.parametrize("kind", ["scratch", "linear-probe"])
def test_rivals_share_their_masks_with_the_splits(kind: str) -> None:
    splits, rivals = rows(Splits(repeats=2), pool()), rows(Rivals(kind=kind, repeats=2), pool())  # type: ignore[arg-type]
    assert len(splits) == 10
    assert len(rivals) == 6
    for one, other in zip(splits, rivals, strict=False):
        np.testing.assert_array_equal(one.keep, other.keep)
        assert one.order != other.order
    assert {row.start for row in rivals} == {"scratch" if kind == "scratch" else "source"}
    assert {row.transfer for row in rivals} == {"features" if kind == "linear-probe" else "recipe"}


def test_sizes_are_nested_and_balanced() -> None:
    one = pool(100, 100, classes=4)
    found = rows(Sizes(shares=(0.25, 0.5, 1.0), repeats=2), one)
    for repeat in range(2):
        small, middle, large = [row.keep for row in found if row.repeat == repeat]
        assert (small <= middle).all()
        assert (middle <= large).all()
        assert [int(mask.sum()) for mask in (small, middle, large)] == [25, 50, 100]
        counts = np.bincount(one.labels[middle], minlength=4) / 50
        np.testing.assert_allclose(counts, np.bincount(one.labels[one.indices], minlength=4) / 200, atol=0.03)


def test_no_group_is_on_both_sides_of_a_smaller_training_set() -> None:
    one = pool(100, 100, groups=40)
    assert one.groups is not None
    for row in rows(Sizes(shares=(0.25, 0.632), repeats=3), one):
        inside = set(one.groups[row.keep].tolist())
        assert not inside & set(one.groups[one.indices[~row.keep[one.indices]]].tolist())
        assert abs(row.keep.sum() - (25, 63)[row.fold]) <= 5


def test_a_smaller_training_set_of_ordered_data_is_a_stretch_of_time() -> None:
    plain = pool(100, 100)
    times = np.random.default_rng(1).permutation(len(plain.labels))
    one = dataclasses.replace(plain, times=times)
    for row in rows(Sizes(shares=(0.25, 0.632), repeats=3), one):
        rank = np.argsort(np.argsort(times[one.indices]))
        inside = np.sort(rank[row.keep[one.indices]])
        # A ring: the stretch may begin at the end and go on at the beginning.
        assert (np.diff(inside) > 1).sum() <= 1
        assert row.keep.sum() == (25, 63)[row.fold]


def test_subsamples_are_of_one_size_and_all_different() -> None:
    found = rows(Subsamples(replicas=4), pool())
    assert [int(row.keep.sum()) for row in found] == [51] * 4
    assert len({row.keep.tobytes() for row in found}) == len({row.order for row in found}) == 4


def test_shuffled_labels_keep_their_shares_and_move() -> None:
    one = pool()
    for row in rows(Shuffled(replicas=2), one):
        assert row.targets is not None
        np.testing.assert_array_equal(np.sort(row.targets[one.member]), np.sort(one.labels[one.member]))
        assert (row.targets[one.member] != one.labels[one.member]).mean() > 0.4
        np.testing.assert_array_equal(row.targets[~one.member], one.labels[~one.member])


def test_seeds_train_on_the_members_in_other_orders() -> None:
    found = rows(Seeds(replicas=3), pool())
    assert len({row.order for row in found}) == 3
    assert all((row.keep == pool().member).all() for row in found)


def test_overlapping_parts_are_refused() -> None:
    member = np.array([True, True, False])
    with pytest.raises(EvidenceError, match="sample 1"):
        Pool(labels=np.zeros(3, int), member=member, held_out=np.array([False, True, True]), validation=~member & False)
    with pytest.raises(EvidenceError, match="held-out"):
        Pool(labels=np.zeros(3, int), member=member, held_out=~member & False, validation=~member)
