from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from probes.errors import EvidenceError, NonFiniteError
from probes.statistics.roc import auc, delong_standard_error, roc_curve, tpr_at_fpr

REFERENCE = Path(__file__).parents[1] / "membership" / "reference"

scored = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=4, max_size=40).filter(
    lambda pairs: 0 < sum(member for _, member in pairs) < len(pairs)
)


def arrays(pairs: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(s) for s, _ in pairs]), np.array([m for _, m in pairs])


@given(scored)
@settings(deadline=None)
def test_auc_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    score, member = arrays(pairs)
    wins = [(a > b) + 0.5 * (a == b) for a in score[member] for b in score[~member]]
    found = auc(score, member)
    assert found.value == pytest.approx(np.mean(wins))
    assert found.value == pytest.approx(roc_auc_score(member, score))
    assert found.low <= found.value <= found.high


@given(scored, st.sampled_from([0.01, 0.1, 0.25, 0.5]))
@settings(deadline=None)
def test_tpr_against_trying_every_threshold(pairs: list[tuple[int, bool]], fpr: float) -> None:
    score, member = arrays(pairs)
    best = 0.0
    for threshold in [-1.0, *score.tolist()]:
        above = score > threshold
        if above[~member].mean() <= fpr + 1e-12:
            best = max(best, float(above[member].mean()))
    found = tpr_at_fpr(score, member, fpr)
    assert found.value == pytest.approx(best)
    assert (found.caveat is not None) == ((~member).sum() < np.ceil(1 / fpr))


def test_a_constant_score_says_nothing() -> None:
    score, member = np.ones(50), np.arange(50) < 20
    assert auc(score, member).value == 0.5
    assert tpr_at_fpr(score, member, 0.1).value == 0.0


def test_published_standard_errors() -> None:
    expected = json.loads((REFERENCE / "expected.json").read_text())
    scores = np.load(REFERENCE / "expected.npz")
    member = np.load(REFERENCE / "inputs.npz")["target_member"]
    for method, figures in expected.items():
        found = auc(scores[method], member)
        assert found.value == pytest.approx(figures["auc"], abs=1e-6)
        assert delong_standard_error(scores[method], member) == pytest.approx(figures["auc_delong_se"], rel=1e-6)
        for fpr in (0.05, 0.01, 0.001):
            assert tpr_at_fpr(scores[method], member, fpr).value == figures[f"tpr@{fpr}"]
        one = tpr_at_fpr(scores[method], member, 0.01)
        assert (one.low, one.high) == pytest.approx(tuple(figures["tpr@0.01_cp95"]))


@pytest.mark.parametrize(("distance", "side"), [(0.0, 60), (1.0, 60), (2.0, 40)])
def test_interval_covers_the_truth(distance: float, side: int) -> None:
    """Members N(d, 1), others N(0, 1): AUC = Φ(d/√2)."""
    rng = np.random.default_rng(0)
    member = np.arange(2 * side) < side
    truth = stats.norm.cdf(distance / np.sqrt(2))
    hits = 0
    for _ in range(1000):
        found = auc(rng.standard_normal(2 * side) + distance * member, member)
        hits += found.low <= truth <= found.high
    assert 0.935 <= hits / 1000 <= 0.97


def test_perfect_separation_is_not_certain() -> None:
    found = auc(np.arange(40.0), np.arange(40) >= 20)
    assert found.value == 1.0
    assert found.low < 0.85


def test_curve_counts() -> None:
    false, true = roc_curve(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False]))
    assert false.tolist() == [0, 0, 1, 2]
    assert true.tolist() == [0, 1, 2, 2]


def test_unusable_scores_are_named() -> None:
    member = np.array([True, False])
    with pytest.raises(NonFiniteError, match="score"):
        auc(np.array([0.0, np.nan]), member)
    with pytest.raises(EvidenceError, match="non-members"):
        auc(np.zeros(2), np.array([True, True]))
    with pytest.raises(EvidenceError, match="fpr"):
        tpr_at_fpr(np.zeros(2), member, 1.5)


def test_equal_scores_do_not_make_an_exact_auc() -> None:
    """None of 60 members and none of 40 others has another score: up to 6.0 and 8.8 % of them may (Clopper–Pearson)."""
    found = auc(np.zeros(100), np.arange(100) < 60)
    assert (found.low, found.value, found.high) == pytest.approx((0.5 - 0.074, 0.5, 0.5 + 0.074), abs=5e-4)
    fewer = auc(np.zeros(4), np.arange(4) < 2)
    assert 0 <= fewer.low < found.low < found.high < fewer.high <= 1
