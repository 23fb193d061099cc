"""ε lower bounds of one audited model: by held-out members, and by canaries."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float64
from scipy import stats

from probes.evidence import Canaries
from probes.membership.epsilon import epsilon_clopper_pearson, epsilon_one_run
from probes.membership.verdict import Scores
from probes.statistics.roc import auc, roc_curve

GUESS_SHARES = (0.1, 0.3, 1.0)


def split_sample_bound(
    scores: Scores, member: Bool[np.ndarray, " samples"], rng: np.random.Generator, *, delta: float, level: float
) -> float:
    """Attack and threshold are chosen on one half of the samples and tested on the other, so the bound is valid.

    Members and non-members must be exchangeable for it to speak of ε: a random split, as ours is.
    """
    choosing = np.zeros(len(member), dtype=bool)
    for side in (member, ~member):
        mine = np.flatnonzero(side)
        choosing[rng.permutation(mine)[: len(mine) // 2]] = True
    best = max(scores, key=lambda name: auc(scores[name][choosing], member[choosing]).value)
    score = scores[best]
    threshold = _best_threshold(score[choosing], member[choosing], delta, level)
    tested, truth = score[~choosing] >= threshold, member[~choosing]
    return epsilon_clopper_pearson(
        int((tested & truth).sum()),
        int((tested & ~truth).sum()),
        int(truth.sum()),
        int((~truth).sum()),
        delta=delta,
        level=level,
    )


def _best_threshold(
    score: Float64[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"], delta: float, level: float
) -> float:
    """The threshold with the highest bound by `epsilon_clopper_pearson`, all thresholds at once."""
    false, true = roc_curve(score, member)
    members, others = int(member.sum()), int((~member).sum())
    thresholds = np.concatenate([[math.inf], np.unique(score)[::-1]])
    tail = (1 - level) / 2
    # Beta quantiles are NaN at the edges, where Clopper–Pearson's bounds are 0 and 1.
    tpr_low = np.nan_to_num(stats.beta.ppf(tail, true, members - true + 1), nan=0.0)
    fpr_high = np.nan_to_num(stats.beta.ppf(1 - tail, false + 1, others - false), nan=1.0)
    with np.errstate(divide="ignore"):
        by_members = np.log(np.maximum(tpr_low - delta, 0) / np.maximum(fpr_high, 1e-12))
        by_others = np.log(np.maximum(1 - fpr_high - delta, 0) / np.maximum(1 - tpr_low, 1e-12))
    return float(thresholds[int(np.argmax(np.maximum(by_members, by_others)))])


def canary_bound(canaries: Canaries, *, delta: float, level: float) -> tuple[float, int, int]:
    """One-run auditing: guess 'in' for the highest and 'out' for the lowest scores, at three numbers of guesses fixed
    beforehand, each at a third of the error. Returns (ε, guesses, correct) of the best."""
    m = len(canaries.score)
    rank = np.argsort(np.argsort(-canaries.score, kind="stable"), kind="stable")
    each = 1 - (1 - level) / len(GUESS_SHARES)
    found = []
    for share in GUESS_SHARES:
        half = max(1, round(share * m / 2))
        top, bottom = rank < half, rank >= m - half
        correct = int(canaries.included[top].sum() + (~canaries.included[bottom]).sum())
        guesses = int(top.sum() + bottom.sum())
        found.append((epsilon_one_run(m, min(guesses, m), min(correct, m), delta=delta, level=each), guesses, correct))
    return max(found)
