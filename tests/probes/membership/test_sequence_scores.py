"""Attack scores on sequences against a slow reference, and on sequences whose answer is known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from probes.errors import EvidenceError
from probes.membership import sequence_scores as scores
from probes.sequences import TokenAnswers, token_answers

RNG = np.random.default_rng(0)
COUNTS = (1, 2, 7, 45)
START = np.concatenate([[0], np.cumsum(COUNTS)])
TOKENS = RNG.integers(0, 11, START[-1])


def answers(shift: float = 0.0, seed: int = 0) -> TokenAnswers:
    """A random model over eleven tokens that gives the right one `shift` nats more than chance."""
    logits = np.random.default_rng(seed).normal(0, 2, (len(TOKENS), 11))
    logits[np.arange(len(TOKENS)), TOKENS] += shift
    return token_answers(logits, TOKENS, START)


OWN, BASE = answers(1.5, 1), answers(0.0, 2)


def test_min_k_is_the_mean_of_the_least_likely_tokens() -> None:
    z = (OWN.log_prob[0] - OWN.mean[0]) / OWN.deviation[0]
    for i, (first, last) in enumerate(itertools.pairwise(START)):
        few = max(1, int(0.2 * (last - first)))
        lowest = sorted(OWN.log_prob[0, first:last])[:few]
        assert scores.min_k(OWN)[0, i] == pytest.approx(float(np.mean(lowest)), abs=1e-5)
        assert scores.min_k_plus_plus(OWN)[0, i] == pytest.approx(float(np.mean(sorted(z[first:last])[:few])), abs=1e-4)
    with pytest.raises(EvidenceError, match=r"k=0\.0"):
        scores.min_k(OWN, 0.0)


def test_window_comparison_counts_the_windows_that_the_model_wins() -> None:
    shift = (OWN.log_prob - BASE.log_prob)[0].astype(float)
    for i, (first, last) in enumerate(itertools.pairwise(START)):
        shares = []
        for width in scores.WIDTHS:
            width = min(width, last - first)
            won = [sum(shift[j : j + width]) > 0 for j in range(first, last - width + 1)]
            shares.append(sum(won) / len(won))
        assert scores.window_comparison(OWN, BASE)[0, i] == pytest.approx(float(np.mean(shares)))


def test_error_zone_weighs_shifts_where_the_model_is_wrong() -> None:
    shift = (OWN.log_prob - BASE.log_prob)[0].astype(float)
    for i, (first, last) in enumerate(itertools.pairwise(START)):
        wrong = [j for j in range(first, last) if OWN.rank[0, j] > 0] or list(range(first, last))
        up, down = sum(max(shift[j], 0) for j in wrong), sum(max(-shift[j], 0) for j in wrong)
        assert scores.error_zone(OWN, BASE)[0, i] == pytest.approx(math.log((up + 1e-8) / (down + 1e-8)), abs=1e-5)


def test_ratios() -> None:
    own, base = OWN.average(OWN.log_prob), BASE.average(BASE.log_prob)
    assert scores.likelihood_ratio(OWN, BASE) == pytest.approx(own - base)
    assert scores.recall(OWN, BASE) == pytest.approx(base / own)
    assert scores.lower_cased(OWN, BASE) == pytest.approx(own - base)
    bytes_ = scores.compressed_bytes(["one", "two", "three" * 9, "four" * 40])
    assert scores.zlib_ratio(OWN, bytes_) == pytest.approx(own / bytes_)


def test_one_base_serves_all_models_and_no_more() -> None:
    both = TokenAnswers(
        start=OWN.start,
        **{
            name: np.concatenate([getattr(OWN, name), getattr(BASE, name)])
            for name in ("log_prob", "top", "mean", "deviation", "rank")
        },
    )
    assert scores.error_zone(both, BASE).shape == (2, 4)
    with pytest.raises(EvidenceError, match="one model, got 2"):
        scores.error_zone(OWN, both)


@pytest.mark.parametrize("score", ["likelihood_ratio", "error_zone", "window_comparison"])
def test_members_are_distinguished_from_others_and_equals_are_not(score: str) -> None:
    rng = np.random.default_rng(3)
    tokens, start = rng.integers(0, 20, 200 * 12), np.arange(0, 201 * 12, 12)
    base = rng.normal(0, 2, (len(tokens), 20))
    noise = rng.normal(0, 0.5, base.shape)
    lift = np.zeros_like(base)
    lift[np.arange(1200), tokens[:1200]] = 1.0

    def auc(logits: np.ndarray) -> float:
        own = token_answers(logits, tokens, start)
        found = getattr(scores, score)(own, token_answers(base, tokens, start))[0]
        return float(
            (found[:100, None] > found[None, 100:]).mean() + (found[:100, None] == found[None, 100:]).mean() / 2
        )

    assert auc(base + noise + lift) > 0.9
    assert 0.4 < auc(base + noise) < 0.6
