"""Every measure against a slow, obvious reference."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import jensenshannon
from scipy.stats import spearmanr

from probes.drift.cka import cka, unbiased_hsic
from probes.drift.explain.agreement import AGREEMENTS
from probes.drift.explain.similarity import (
    centre_distance,
    gini,
    jensen_shannon,
    rank_correlation,
    structural_similarity,
    top_overlap,
)
from probes.drift.patches import Box, background, border, box_sums, candidate_boxes, corners, in_box, positive_mass

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.normal(size=(2, 4, 9, 7))


def mass(image: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(image) / np.abs(image).sum())


def test_jensen_shannon_is_scipys() -> None:
    wanted = [1 - jensenshannon(mass(a).ravel(), mass(b).ravel(), base=2) ** 2 for a, b in zip(ONE, OTHER, strict=True)]
    np.testing.assert_allclose(jensen_shannon(ONE, OTHER), wanted)


def test_rank_correlation_leaves_out_what_carries_no_mass() -> None:
    one, other = (np.zeros((1, 6, 6)) for _ in range(2))
    one[0, :2, :3], other[0, :2, :3] = RNG.random((2, 2, 3)) + 0.5
    wanted = spearmanr(one[0, :2, :3].ravel(), other[0, :2, :3].ravel()).statistic
    everywhere = spearmanr(one.ravel(), other.ravel()).statistic
    assert rank_correlation(one, other, mass=0.999)[0] == pytest.approx(wanted)
    assert abs(everywhere - wanted) > 0.2


def test_structural_similarity_window_by_window() -> None:
    """Gaussian weights of σ = 1.5 on 11 × 11 windows, edges mirrored."""
    grid = np.arange(-5, 6)
    window = np.exp(-(grid[:, None] ** 2 + grid[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    a, b = (np.pad(m / np.abs(m).max(), 5, mode="symmetric") for m in (ONE[0], OTHER[0]))
    cells = []
    for row, column in itertools.product(range(9), range(7)):
        x, y = (m[row : row + 11, column : column + 11] for m in (a, b))
        mean_x, mean_y = (window * x).sum(), (window * y).sum()
        spread_x, spread_y = (window * (x - mean_x) ** 2).sum(), (window * (y - mean_y) ** 2).sum()
        common = (window * (x - mean_x) * (y - mean_y)).sum()
        cells.append(
            (2 * mean_x * mean_y + 4e-4) * (2 * common + 36e-4)
            / ((mean_x**2 + mean_y**2 + 4e-4) * (spread_x + spread_y + 36e-4))
        )  # fmt: skip
    assert structural_similarity(ONE, OTHER)[0] == pytest.approx(np.mean(cells), rel=1e-6)


def test_centres_of_mass_are_scipys() -> None:
    moved = [
        np.linalg.norm(np.subtract(*(ndimage.center_of_mass(mass(m)) for m in pair)))
        for pair in zip(ONE, OTHER, strict=True)
    ]
    np.testing.assert_allclose(centre_distance(ONE, OTHER), 1 - np.array(moved) / np.hypot(9, 7))


def test_gini_is_half_the_mean_difference() -> None:
    """Over all pairs of unlike positions, relative to the mean."""
    values = mass(ONE[0]).ravel()
    n = len(values)
    wanted = np.abs(values[:, None] - values[None, :]).sum() / (2 * n * (n - 1) * values.mean())
    assert gini(ONE)[0] == pytest.approx(wanted)
    one_place = np.zeros((1, 5, 5))
    one_place[0, 2, 3] = -4
    assert gini(one_place)[0] == pytest.approx(1)


def test_agreements_are_set_arithmetic() -> None:
    a, b = ONE[0].ravel(), OTHER[0].ravel()
    k = round(0.1 * len(a))
    top_a, top_b = (sorted(range(len(m)), key=lambda i, m=m: -abs(m[i]))[:k] for m in (a, b))  # type: ignore[misc]
    both = set(top_a) & set(top_b)
    wanted = {
        "feature": len(both) / k,
        "rank": sum(x == y for x, y in zip(top_a, top_b, strict=True)) / k,
        "sign": sum(np.sign(a[i]) == np.sign(b[i]) for i in both) / k,
    }
    for name, agree in AGREEMENTS.items():
        assert agree(ONE, OTHER)[0] == pytest.approx(wanted[name])
        assert agree(ONE, ONE)[0] == 1
    assert top_overlap(ONE, OTHER)[0] == pytest.approx(wanted["feature"])


def test_unbiased_hsic_is_its_sum_over_quadruples() -> None:
    """Song et al. 2012, eq. 4: the U-statistic over four distinct samples."""
    x, y = RNG.normal(size=(2, 7, 3))
    k, m = x @ x.T, y @ y.T
    terms = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in itertools.permutations(range(7), 4)]
    assert unbiased_hsic(k[None], m[None])[0] == pytest.approx(np.mean(terms))


def gram(features: np.ndarray) -> np.ndarray:
    """Of minibatches of 16 rows, centred."""
    rows = features.reshape(-1, 16, features.shape[1])
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows @ rows.transpose(0, 2, 1))


def test_cka_knows_the_same_the_rotated_and_the_unrelated() -> None:
    features = RNG.normal(size=(160, 10)) * np.arange(1, 11)
    turned = features @ np.linalg.qr(RNG.normal(size=(10, 10)))[0] * 3
    assert cka("a", gram(features), gram(features)).value == pytest.approx(1)
    assert cka("a", gram(features), gram(turned)).value == pytest.approx(1)
    unrelated = cka("a", gram(features), gram(RNG.normal(size=(160, 10))))
    assert unrelated.low < 0 < unrelated.high
    noisy = cka("a", gram(features), gram(features + 4 * RNG.normal(size=(160, 10))))
    assert 0.3 < noisy.value < 0.98
    assert noisy.low < noisy.value < noisy.high


def test_box_sums_and_masks_by_loops() -> None:
    sums = box_sums(ONE, 3)
    for top, left in itertools.product(range(7), range(5)):
        np.testing.assert_allclose(sums[:, top, left], ONE[:, top : top + 3, left : left + 3].sum(axis=(1, 2)))
    share = positive_mass(ONE)
    np.testing.assert_allclose(share.sum(axis=(1, 2)), 1)
    np.testing.assert_allclose(in_box(share, Box(label=0, top=1, left=2, side=4)), share[:, 1:5, 2:6].sum(axis=(1, 2)))
    assert int(border(16, 16).sum()) == 16 * 16 - 12 * 12
    assert int(corners(16, 16).sum()) == 4 * 4 * 4
    black = np.zeros((1, 3, 8, 8))
    black[0, :, 2:5, 2:5] = RNG.random((3, 3, 3))
    assert int(background(black).sum()) == 64 - 9
    assert not background(RNG.random((1, 3, 8, 8))).any()


def test_a_planted_box_is_the_first_candidate_even_where_few_carry_it() -> None:
    """Three of twelve samples of a class have half of their mass at one place."""
    maps = np.abs(RNG.normal(size=(36, 12, 12)))
    labels = np.arange(36) % 3
    carriers = np.flatnonzero(labels == 1)[:3]
    maps[carriers, 4:7, 8:11] += maps[carriers].sum(axis=(1, 2))[:, None, None] / 9
    first = candidate_boxes(positive_mass(maps), labels, 3)[0]
    assert first == Box(label=1, top=4, left=8, side=3)
