"""ε of one audited model: lower bounds from held-out members and from canaries, compared with the checkpoint's
claim."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from probes.evidence import Canaries, Evidence
from probes.membership.epsilon_bounds import epsilon_clopper_pearson, epsilon_one_run
from probes.membership.fdp import epsilon_f_dp, epsilon_of_mu, mu_one_run
from probes.membership.strongest_attack import Scores, level_each
from probes.message import Message
from probes.partial_result import Part
from probes.result import Bound, Estimate, Finding, one_sided
from probes.statistics.roc import auc, roc_curve

DELTA = 1e-5
FEWEST = 20
"""The fewest samples on a side from which ε is bounded where others have copies."""
GUESS_SHARES = (0.1, 0.3, 1.0)


def split_sample_bound(
    scores: Scores, member: Bool[np.ndarray, " samples"], rng: np.random.Generator, *, delta: float, level: float
) -> float:
    """Attack and threshold are chosen on one half of the samples and tested on the other, so the bound is valid.

    It bounds ε only if members and non-members are exchangeable, as they are under a random split.
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
    """The threshold with the highest bound by `epsilon_clopper_pearson`, computed for all thresholds at once."""
    false, true = roc_curve(score, member)
    members, others = int(member.sum()), int((~member).sum())
    thresholds = np.concatenate([[math.inf], np.unique(score)[::-1]])
    tail = (1 - level) / 2
    # Beta quantiles are NaN at the edges, where Clopper–Pearson's bounds are 0 and 1.
    tpr_low = np.nan_to_num(scipy.stats.beta.ppf(tail, true, members - true + 1), nan=0.0)
    fpr_high = np.nan_to_num(scipy.stats.beta.ppf(1 - tail, false + 1, others - false), nan=1.0)
    with np.errstate(divide="ignore"):
        by_members = np.log(np.maximum(tpr_low - delta, 0) / np.maximum(fpr_high, 1e-12))
        by_others = np.log(np.maximum(1 - fpr_high - delta, 0) / np.maximum(1 - tpr_low, 1e-12))
    return float(thresholds[int(np.argmax(np.maximum(by_members, by_others)))])


@dataclass(frozen=True, kw_only=True)
class CanaryBounds:
    """`epsilon` holds for any mechanism; `gaussian_epsilon` for mechanisms with a Gaussian trade-off function, which
    DP-SGD approaches with many steps. Both are per record. `guesses` and `correct` are those of `epsilon`."""

    epsilon: float
    gaussian_epsilon: float
    guesses: int
    correct: int


def canary_bound(canaries: Canaries, *, delta: float, level: float) -> CanaryBounds:
    """One-run auditing of each group of canaries with the same number of copies in the training; the groups share the
    error of one test.

    A canary with c copies is a group of c records: what refutes (c ε, δ_c)-DP of the group, with δ_c = δ (e^{c ε} − 1)
    / (e^ε − 1), refutes (ε, δ)-DP of a record (Dwork & Roth 2014, theorem 2.2).
    """
    groups = canaries.groups
    each = level_each(level, len(groups))
    found = [_bound_of_group(canaries.of(copies), copies, delta, each) for copies in groups]
    best = max(found, key=lambda one: one.epsilon)
    return dataclasses.replace(best, gaussian_epsilon=max(one.gaussian_epsilon for one in found))


def _bound_of_group(canaries: Canaries, copies: int, delta: float, level: float) -> CanaryBounds:
    """Guess 'in' for the highest and 'out' for the lowest scores, at three numbers of guesses fixed in advance, each at
    a third of the error.

    ε is the larger of Steinke's bound and the f-DP bound, without a further correction: for given numbers of canaries
    and guesses and a given ε, each test rejects from a certain number of correct guesses upwards, so their union is
    the one that rejects from fewer, which is fixed in advance.
    """
    m = len(canaries.score)
    rank = np.argsort(np.argsort(-canaries.score, kind="stable"), kind="stable")
    each = 1 - (1 - level) / len(GUESS_SHARES)
    found, mu = [], 0.0
    for share in GUESS_SHARES:
        half = max(1, round(share * m / 2))
        top, bottom = rank < half, rank >= m - half
        guesses = min(m, int(top.sum() + bottom.sum()))
        correct = min(guesses, int(canaries.included[top].sum() + (~canaries.included[bottom]).sum()))
        bounds = [
            of_a_record(partial(bound, m, guesses, correct, level=each), copies, delta)
            for bound in (epsilon_one_run, epsilon_f_dp)
        ]
        found.append((max(bounds), guesses, correct))
        mu = max(mu, mu_one_run(m, guesses, correct, level=each) / copies)
    epsilon, guesses, correct = max(found)
    gaussian = epsilon_of_mu(mu, delta) if delta > 0 else math.inf
    return CanaryBounds(epsilon=epsilon, gaussian_epsilon=gaussian, guesses=guesses, correct=correct)


def of_a_record(bound: Callable[..., float], copies: int, delta: float) -> float:
    """The largest ε per record for which (c ε, δ_c) is refuted for a group of c records, where `bound(delta=δ)` is the
    largest ε refuted for the group at that δ.

    >>> of_a_record(lambda delta: 8.0, 4, 0.0)
    2.0
    """
    if copies == 1 or delta == 0:
        return bound(delta=delta) / copies

    def excess(epsilon: float) -> float:
        grown = copies if epsilon == 0 else math.expm1(copies * epsilon) / math.expm1(epsilon)
        return bound(delta=min(delta * grown, 0.999)) - copies * epsilon

    highest = bound(delta=delta) / copies
    return 0.0 if excess(0.0) <= 0 else float(scipy.optimize.brentq(excess, 0.0, highest, xtol=1e-6))


def epsilon_part(
    evidence: Evidence,
    scores: Scores,
    rng: np.random.Generator,
    level: float,
    doubt: Message | None = None,
    single: Bool[np.ndarray, " samples"] | None = None,
) -> Part:
    """Lower bounds on ε beside the claim; a lower bound above the claim is the most severe finding.

    With a `doubt`, that members were not chosen sample by sample or differ without any model, only canaries, which are
    included by a coin flip, bound ε, and without canaries the bound is undecided. The same holds where fewer than
    FEWEST samples of a side are `single`: a sample that occurs several times shows more than ε of one record, so those
    that do are left out."""
    member = evidence.pool.member[evidence.pool.indices]
    if single is not None and not single.all():
        if doubt is None and min(single[member].sum(), single[~member].sum()) < FEWEST:
            doubt = Message("membership.copies-caveat")
        scores, member = {name: score[single] for name, score in scores.items()}, member[single]
    delta = evidence.privacy.delta if evidence.privacy else DELTA
    each = level_each(level, 1 if evidence.canaries is None else 2)
    bound = split_sample_bound(scores, member, rng, delta=delta, level=each) if doubt is None else 0.0
    n = len(member)
    estimates = []
    if evidence.canaries is not None:
        by_canaries = canary_bound(evidence.canaries, delta=delta, level=each)
        bound, n = max(bound, by_canaries.epsilon), n + len(evidence.canaries.score)
        gaussian = by_canaries.gaussian_epsilon
        if math.isfinite(gaussian):
            estimates.append(
                _bound("epsilon.gaussian_lower_bound", gaussian, "lower", each, len(evidence.canaries.score))
            )
    lowest = _bound("epsilon.lower_bound", bound, "lower", level, n)
    if doubt is not None and evidence.canaries is None:
        lowest = dataclasses.replace(lowest, caveat=doubt)
    estimates.insert(0, lowest)
    claim = evidence.privacy
    if claim is not None:
        estimates.append(_bound("epsilon.claimed", claim.epsilon, "upper", level, n))
    if claim is None or bound <= claim.epsilon:
        return Part(estimates=tuple(estimates))
    finding = Finding(
        code="membership.false-dp-claim",
        severity="critical",
        because=("epsilon.lower_bound", "epsilon.claimed"),
        values={"claimed": claim.epsilon, "bound": bound, "level": level},
    )
    return Part(estimates=tuple(estimates), findings=(finding,))


def _bound(name: str, value: float, side: Bound, level: float, n: int) -> Estimate:
    low, high = one_sided(value, side)
    return Estimate(name=name, value=value, low=low, high=high, level=level, n=n, unit="ε", better="lower", bound=side)
