"""Labels suspected by confident learning (Northcutt, Jiang & Chuang 2021), and how many it would suspect on clean
labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float64, Int64
from scipy import special

from probes.evidence import Evidence
from probes.large_arrays import parts
from probes.population import Population

DRAWS = 20
"""Draws of clean labels, whose mean number of suspects is reported."""
SMALLEST = 1e-6
DROP, HALVINGS = 2.7, 6
"""Of the log-likelihood, at the lower end of a one-sided 99 % interval, which is found by so many halvings."""


def out_of_fold(
    evidence: Evidence, splits: Population
) -> tuple[Float64[np.ndarray, " samples"], Int64[np.ndarray, " samples"], Float64[np.ndarray, " samples"]]:
    """Mean probability of the given label over the replicas that did not train on the sample; the other class they
    predict most, and a lower bound of its mean probability (only predictions' own confidence is kept). NaN outside the
    pool.

    evidence  labels and classes
    splits    replicas, each with the samples it trained on

    Returns three numbers a sample: the label's probability, the other class, and its probability.
    """
    in_pool = evidence.pool.member | evidence.pool.held_out
    own, mass = np.empty(len(in_pool)), np.zeros(len(in_pool))
    best = np.full(len(in_pool), -1, dtype=np.int64)
    for part in parts(len(in_pool), len(splits)):
        out = ~splits.keep[:, part] & in_pool[part]
        n_out = out.sum(axis=0)
        total = np.maximum(n_out, 1)
        own[part] = (np.exp(splits.answers.log_prob[:, part].astype(np.float64)) * out).sum(axis=0) / total
        predicted, confidence = splits.answers.predicted[:, part], splits.answers.confidence[:, part].astype(np.float64)
        for label in range(len(evidence.classes)):
            here = (confidence * ((predicted == label) & out)).sum(axis=0) / total
            better = (here > mass[part]) & (evidence.labels[part] != label)
            best[part][better], mass[part][better] = label, here[better]
        own[part][n_out == 0], mass[part][n_out == 0] = np.nan, np.nan
    return own, best, mass


def suspected(
    labels: Int64[np.ndarray, " samples"],
    own: Float64[np.ndarray, " samples"],
    rival: Int64[np.ndarray, " samples"],
    rival_probability: Float64[np.ndarray, " samples"],
) -> Bool[np.ndarray, " samples"]:
    """The labels to prune: for each class as many as the calibrated confident joint estimates to be wrong, those with
    the lowest probability of their label ('prune by class', section 3.2), among samples for which another class is more
    likely.

    labels             the given class of each sample
    own                mean probability of that label by models that did not train on the sample, in [0, 1]
    rival              the other class that they predict most
    rival_probability  its mean probability, in [0, 1]

    The joint (eq. 1, with ties between classes by the larger probability) counts where a class's probability reaches
    that class's average self-confidence; calibrated (eq. 3), it gives the share of a class that is wrong, including
    samples that reach no threshold.

    Returns which labels are suspected. Northcutt, Jiang & Chuang 2021.

    >>> labels, own = np.array([0, 0, 0, 1, 1, 1]), np.array([0.9, 0.9, 0.1, 0.9, 0.9, 0.9])
    >>> suspected(labels, own, 1 - labels, 1 - own).tolist()
    [False, False, True, False, False, False]
    """
    known = np.isfinite(own)
    found = np.zeros(len(labels), dtype=bool)
    classes = int(max(labels.max(), rival.max())) + 1
    threshold = np.full(classes, np.inf)
    for label in np.unique(labels[known]):
        threshold[label] = own[known & (labels == label)].mean()
    sure_own = known & (np.nan_to_num(own) >= threshold[labels])
    sure_rival = known & (rival >= 0) & (np.nan_to_num(rival_probability) >= threshold[np.maximum(rival, 0)])
    wrong = sure_rival & (~sure_own | (np.nan_to_num(rival_probability) > np.nan_to_num(own)))
    right = sure_own & ~wrong
    likelier = known & (np.nan_to_num(rival_probability) > np.nan_to_num(own))
    for label in np.unique(labels[known]):
        mine = known & (labels == label)
        counted = int(right[mine].sum() + wrong[mine].sum())
        if not counted:
            continue
        errors = round(int(mine.sum()) * int(wrong[mine].sum()) / counted)
        candidates = np.flatnonzero(mine & likelier)
        found[candidates[np.argsort(own[candidates], kind="stable")][:errors]] = True
    return found


def suspects_on_clean_labels(
    labels: Int64[np.ndarray, " samples"],
    own: Float64[np.ndarray, " samples"],
    rival: Int64[np.ndarray, " samples"],
    rival_probability: Float64[np.ndarray, " samples"],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """How many labels would be suspected by models of this accuracy if none were wrong: about, and at most.

    labels             the given class of each sample
    own                mean probability of that label by models that did not train on the sample, in [0, 1]
    rival              the other class that they predict most
    rival_probability  its mean probability, in [0, 1]
    rng                draws the clean labels

    Models are wrong where they are uncertain, while wrong labels contradict them anywhere: in a reliability curve (1 −
    ε) σ(a z + b) over the logit z of their confidence, σ is the models' accuracy and ε the share of wrong labels.
    Labels are drawn by σ; where models err, the label has a share of the rest of the probability as those contradicted
    labels have that are likely to be the models' errors. Models that are hardly ever sure, or as often wrong where they
    are, do not tell ε from their own errors; so the second number is for the least ε that the curve allows.

    Returns the mean number over draws for the likeliest ε, and for the lower end of its 99 % likelihood interval.
    """
    known = np.flatnonzero(np.isfinite(own))
    classes = int(max(labels.max(), rival.max())) + 1
    if not len(known) or classes < 2:
        return 0.0, 0.0
    agree = own[known] >= rival_probability[known]
    predicted = np.where(agree, labels[known], rival[known])
    other = (labels[known] + rng.integers(1, classes, len(known))) % classes
    runner_up = np.where(agree, np.where(rival[known] >= 0, rival[known], other), labels[known])
    top = np.clip(np.maximum(own[known], rival_probability[known]), SMALLEST, 1 - SMALLEST)
    if agree.all():
        return 0.0, 0.0
    shares = np.clip(own[known] / (1 - top), 0.0, 1.0)[~agree]

    def suspects(curve: Reliability) -> float:
        weight = ((1 - curve.right) / (1 - (1 - curve.wrong_labels) * curve.right))[~agree] + SMALLEST
        counts = []
        for _ in range(DRAWS):
            hit = rng.random(len(known)) < curve.right
            rest = np.minimum((1 - top) * rng.choice(shares, len(known), p=weight / weight.sum()), top)
            drawn, theirs = np.where(hit, predicted, runner_up), np.where(hit, top, rest)
            others = np.where(hit, rest, top)
            counts.append(int(suspected(drawn, theirs, np.where(hit, runner_up, predicted), others).sum()))
        return float(np.mean(counts))

    about, least = (suspects(curve) for curve in _reliability(np.log(top / (1 - top)), agree))
    return about, max(about, least)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """How well models and labels agree, as a function of the models' confidence.

    right         the probability, 0 to 1, that models of this confidence are right about the sample
    wrong_labels  the share of wrong labels, 0 to 1
    """

    right: Float64[np.ndarray, " n"]
    wrong_labels: float


def _reliability(logit: Float64[np.ndarray, " n"], agree: Bool[np.ndarray, " n"]) -> tuple[Reliability, Reliability]:
    """By maximum likelihood, and with the least share of wrong labels whose likelihood is not much lower."""

    def loss(parameters: Float64[np.ndarray, " 3"]) -> float:
        chance = (1 - parameters[0]) * special.expit(parameters[1] * logit + parameters[2])
        chance = np.clip(chance, 1e-9, 1 - 1e-9)
        return -float(np.where(agree, np.log(chance), np.log1p(-chance)).sum())

    def fitted(shares: tuple[float, float], start: Float64[np.ndarray, " 3"]) -> scipy.optimize.OptimizeResult:
        bounds = [shares, (0.0, 20.0), (-20.0, 20.0)]
        return scipy.optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds)

    def curve(parameters: Float64[np.ndarray, " 3"]) -> Reliability:
        right = np.asarray(special.expit(parameters[1] * logit + parameters[2]))
        return Reliability(right=right, wrong_labels=float(parameters[0]))

    starts = [np.array([share, 1.0, 0.0]) for share in (0.0, 0.1, 0.3)]
    best = min((fitted((0.0, 0.6), start) for start in starts), key=lambda one: float(one.fun))
    least, low, high = best, 0.0, float(best.x[0])
    for share in (low, *[None] * HALVINGS):
        tried = (low + high) / 2 if share is None else share
        found = min((fitted((tried, tried), np.array([tried, a, b])) for a, b in ((1.0, 0.0), best.x[1:])), key=_fun)
        if found.fun <= best.fun + DROP:
            least, high = found, tried
            if share is not None:
                break
        else:
            low = tried
    return curve(best.x), curve(least.x)


def _fun(one: scipy.optimize.OptimizeResult) -> float:
    return float(one.fun)
