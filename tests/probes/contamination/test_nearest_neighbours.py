"""Search, confirmation and calibration against slow, obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from probes.contamination import nearest_neighbours
from probes.contamination.confirm import overlay
from probes.contamination.distance_threshold import too_close
from probes.contamination.near_vectors import near_features, near_rows
from probes.contamination.nearest_neighbours import cells, nearest, pairs_above, unit
from probes.contamination.poses import Pose, poses, search
from probes.contamination.registration import register, sampled
from probes.contamination.thumbnails import shifted, thumbnails
from probes.measures.exact_duplicates import content, exact_pairs, together
from tests.probes.contamination.planted import moved_far, photographs


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BLOCK", "TILE"):
        monkeypatch.setattr(nearest_neighbours, name, 17)


@pytest.mark.usefixtures("_small_blocks")
def test_pairs_above_are_all_pairs_above() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(100, 5)))
    close = pairs_above(vectors, vectors, 0.8, most=100)
    similarity = vectors @ vectors.T
    expected = {(i, j) for i in range(100) for j in range(i + 1, 100) if similarity[i, j] >= 0.8}
    assert expected
    assert set(zip(close.one.tolist(), close.other.tolist(), strict=True)) == expected


@pytest.mark.usefixtures("_small_blocks")
def test_the_cap_keeps_the_best() -> None:
    vectors = unit(np.abs(np.random.default_rng(1).normal(size=(60, 4))))
    close = pairs_above(vectors, vectors, 0.0, most=2)
    similarity = np.triu(vectors @ vectors.T, 1)
    for i in range(59):
        best = int(similarity[i].argmax())
        assert best in close.other[close.one == i]
    assert len(close.one) <= 2 * 2 * 60


@pytest.mark.usefixtures("_small_blocks")
def test_the_cap_is_that_of_each_side() -> None:
    """The reference: a pair stays if it is among the two best of either of its samples."""
    vectors = unit(np.abs(np.random.default_rng(2).normal(size=(60, 4))))
    similarity = np.triu(vectors @ vectors.T, 1)
    hits = sorted(((similarity[i, j], i, j) for i in range(60) for j in range(i + 1, 60)), reverse=True)
    hits = [hit for hit in hits if hit[0] >= 0.7]
    expected = set()
    for side in (1, 2):
        for sample in range(60):
            expected |= {(i, j) for _, i, j in [hit for hit in hits if hit[side] == sample][:2]}
    close = pairs_above(vectors, vectors, 0.7, most=2)
    assert set(zip(close.one.tolist(), close.other.tolist(), strict=True)) == expected
    assert len(expected) < len(hits)


def test_cells_find_the_copies_that_a_look_at_every_pair_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows without clusters, the worst case; what they find is what there is."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(3000, 32))
    vectors[-100:] = vectors[:100] + rng.normal(0, 0.05, size=(100, 32))
    queries = unit(vectors)
    assert cells(queries, queries, rng) is None
    exact = pairs_above(queries, queries, 0.9)
    monkeypatch.setattr(nearest_neighbours, "EXACT", 1000)
    among = cells(queries, queries, rng)
    assert among is not None
    every = set(zip(exact.one.tolist(), exact.other.tolist(), strict=True))
    assert len(every) == 100
    for probed in (among, among.asked_by(queries, queries)):
        found = pairs_above(queries, queries, 0.9, among=probed)
        seen = set(zip(found.one.tolist(), found.other.tolist(), strict=True))
        assert seen <= every
        assert 98 <= len(seen) == len(found.one)
    np.testing.assert_array_equal(np.sort(among.members), np.arange(3000))


def test_each_pose_has_an_inverse_in_which_the_second_image_resembles_the_first() -> None:
    chosen = poses(64)
    assert [one.inverse.inverse for one in chosen] == list(chosen)
    pictures = photographs()[:30]
    given = np.kron(pictures, np.ones((1, 2, 2, 1), dtype=np.uint8))
    for number, pose in enumerate(chosen):
        maps = np.repeat(pose.matrix[None], len(given), axis=0)
        upright = given[:, :, ::-1] if pose.flipped else given
        copies = sampled(upright.astype(np.float32), maps, 0)[0]
        both = search(np.concatenate([given, copies.astype(np.uint8)]))
        own, other = np.arange(30), np.arange(30, 60)
        there = both.posed_best(np.stack([own, other], axis=1)).pose
        back = both.posed_best(np.stack([other, own], axis=1)).pose
        assert (there == number).mean() > 0.9
        assert (back == chosen.index(pose.inverse)).mean() > 0.9


def test_cells_find_moved_copies_whichever_image_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    pictures = photographs()
    copies = np.stack([moved_far(one, rng) for one in pictures[:40]])
    found = search(np.concatenate([pictures, copies]))
    for name, value in {"EXACT": 100, "SIZE": 4, "GROUPS": 3, "PROBED": 2}.items():
        monkeypatch.setattr(nearest_neighbours, name, value)
    pairs = set(map(tuple, found.candidates(rng).pairs.tolist()))
    assert sum((place, len(pictures) + place) in pairs for place in range(40)) >= 36


@pytest.mark.usefixtures("_small_blocks")
def test_nearest_agrees_with_scikit_learn() -> None:
    vectors = unit(np.random.default_rng(2).normal(size=(80, 6)))
    own = np.arange(80)
    place, similarity = nearest(vectors, vectors, own, k=3)
    distance, expected = NearestNeighbors(n_neighbors=4, metric="cosine").fit(vectors).kneighbors(vectors)
    np.testing.assert_array_equal(place, expected[:, 1:])
    np.testing.assert_allclose(similarity, 1 - distance[:, 1:], atol=1e-5)


def test_content_is_equal_only_where_samples_are() -> None:
    samples = np.array([[0.0, 1.0], [-0.0, 1.0], [np.nan, 1.0], [np.nan, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(content(samples), [0, 0, 1, 1, 2])
    own, other = together(np.array(["a", "b"]), np.array(["b", "c"]))
    np.testing.assert_array_equal(np.isin(own, other), [False, True])
    np.testing.assert_array_equal(exact_pairs(np.array([5, 1, 5, 5, 1])), [[0, 2], [0, 3], [1, 4]])


def test_overlay_undoes_mirror_shift_and_brightness() -> None:
    pictures = photographs()[:40].astype(np.float32)
    copies = np.clip(1.3 * shifted(pictures[:, :, ::-1], 1, -1) - 20, 0, 255)
    both = np.concatenate([pictures, copies])
    pairs = np.stack([np.arange(40), np.arange(40, 80)], axis=1)
    seen = overlay(both, pairs)
    assert seen.residual.max() < 1e-3
    assert seen.flipped.all()
    assert (np.abs(seen.moved) == 1).all()
    strangers = overlay(pictures, np.stack([np.arange(39), np.arange(1, 40)], axis=1))
    assert strangers.residual.min() > 0.2


def test_registration_finds_the_map_that_was_applied() -> None:
    """A copy that is shifted, rotated and cropped, registered from the nearest pose."""
    pictures = photographs()[:20].astype(np.float32)
    angle, scale = np.radians(5.0), 0.95
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    true = np.concatenate([linear, [[1.5], [-1.0]]], axis=1).astype(np.float32)
    copies = sampled(pictures, np.repeat(true[None], 20, axis=0), 0)[0]
    both = np.concatenate([pictures, 0.8 * copies + 20])
    pairs = np.stack([np.arange(20), np.arange(20, 40)], axis=1)
    start = np.repeat(Pose(degrees=7.0).matrix[None], 20, axis=0)
    seen = register(both, pairs, np.zeros(20, dtype=bool), start, (0.0, 255.0))
    close = seen.residual < 0.01
    assert close.sum() >= 18
    np.testing.assert_allclose(seen.matrix[close], np.repeat(true[None], close.sum(), axis=0), atol=0.6)
    strangers = np.stack([np.arange(19), np.arange(1, 20)], axis=1)
    assert register(both, strangers, np.zeros(19, dtype=bool), start[1:], (0.0, 255.0)).residual.min() > 0.1


def test_two_pieces_of_one_gradient_are_not_copies() -> None:
    down = np.linspace(0, 200, 64, dtype=np.float32)[:, None, None] * np.ones((1, 32, 3), dtype=np.float32)
    noise = np.random.default_rng(3).normal(0, 2, size=(2, 32, 32, 3)).astype(np.float32)
    pieces = np.stack([down[:32], down[32:]]) + noise
    assert overlay(pieces, np.array([[0, 1]])).residual[0] > 0.2


def test_thumbnails_ignore_brightness_and_a_plain_image_is_like_nothing() -> None:
    pictures = photographs()[:5].astype(np.float32)
    np.testing.assert_allclose(thumbnails(0.5 * pictures + 30), thumbnails(pictures), atol=1e-5)
    plain = np.full((1, 32, 32, 3), 200, dtype=np.float32)
    assert not thumbnails(plain).any()


@pytest.mark.parametrize("copies", [0.0, 0.05, 0.25])
def test_called_copies_hold_few_strangers(copies: float) -> None:
    """Strangers' distances are log-normal; copies lie far below: nearly all are called, and few strangers are."""
    rng = np.random.default_rng(4)
    distance = np.exp(rng.normal(-1.0, 0.4, size=3000))
    copy = np.arange(3000) < copies * 3000
    distance[copy] = np.exp(rng.normal(-4.0, 0.3, size=copy.sum()))
    called = distance <= too_close(distance[rng.permutation(3000)[:800]], distance, looks=3000)
    assert (called & ~copy).sum() <= max(2, 0.05 * called.sum())
    assert (called & copy).sum() >= 0.95 * copy.sum()


@pytest.mark.parametrize("columns", [1, 2, 6, 20])
def test_unrelated_rows_and_features_are_not_copies(columns: int) -> None:
    """A tenth of a false pair a data set is allowed: of 40 at most 10 have one (p < 1 %)."""
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(400, columns)).astype(np.float32)
        features = rng.normal(size=(400, columns + 3)).astype(np.float32)
        alarms += bool(len(near_rows(table, rng).one)) + bool(len(near_features(features, rng).one))
    assert alarms <= 10


def test_too_few_or_equal_neighbours_set_no_threshold() -> None:
    assert too_close(np.ones(5), np.ones(5), looks=100) == 0
    assert too_close(np.zeros(100), np.zeros(100), looks=100) == 0


def test_floors_leave_out_what_is_below_that_of_both_samples() -> None:
    vectors = unit(np.random.default_rng(5).normal(size=(60, 4)).astype(np.float32))
    floor = np.random.default_rng(6).uniform(0.5, 1.0, (2, 60)).astype(np.float32)
    whole = pairs_above(vectors, vectors, 0.5, most=60)
    kept = pairs_above(vectors, vectors, 0.5, most=60, floor=floor)
    enough = (whole.similarity >= floor[0, whole.one]) | (whole.similarity >= floor[1, whole.other])
    assert 0 < enough.sum() < len(enough)
    assert list(zip(kept.one, kept.other, strict=True)) == list(
        zip(whole.one[enough], whole.other[enough], strict=True)
    )
