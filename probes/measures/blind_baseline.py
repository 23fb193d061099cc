"""A blind baseline: can two parts of the data be told apart without any model?

If the parts differ, an attack may pick up the difference rather than membership (Das, Zhang & Tramèr 2025, "Blind
baselines beat membership inference attacks for foundation models").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.measures.most_different import most_different
from probes.result import Estimate
from probes.statistics.distributions import midranks
from probes.statistics.stratified_auc import stratified_auc

FOLDS = 5
FEWEST = 4 * FOLDS
"""Fewest samples, or groups, in either part."""
SHARED = 1 + FOLDS / (FOLDS - 1)
"""By which classifiers that share training samples multiply the variance of their mean over folds (Nadeau & Bengio
2003): between random parts its deviation is 1.3 to 1.5 times DeLong's, measured."""
LARGEST_WHOLE, SCREENED = 200, 20
"""Of more than that many properties, the classifiers take so many whose mean differs most between the parts, and as
many whose spread does, among the samples they are fitted to: of 2,000, one that is shifted by a standard deviation is
lost among hundreds of others."""
SINGLE = 10
"""The part of the error that is allotted to a single property, and the part to a product of two."""
PAIRED = 24
"""Of more properties than that, products of two are not tried."""
LARGEST = 6000
"""Largest number of samples that the classifiers are fitted to; of more, a random subset."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlindBaseline:
    """How well a classifier that never sees the model tells two parts of the samples apart.

    auc         of a cross-validated classifier of the parts, or of a single property, a fraction
    propensity  its out-of-fold score of each sample, a mean of ranks in [0, 1]; NaN if a sample was left out
    """

    auc: Estimate
    propensity: Float64[np.ndarray, " samples"]


def blind_baseline(
    described: Float[np.ndarray, "samples properties"],
    part: Bool[np.ndarray, " samples"],
    rng: np.random.Generator,
    *,
    groups: Int[np.ndarray, " samples"] | None = None,
    name: str = "blind.auc",
    level: float = 0.95,
) -> BlindBaseline | None:
    """A linear and a tree classifier together (logistic regression, histogram gradient boosting), scored on samples of
    folds they have not seen; AUC from pairs inside folds. Where its interval reaches one half, that of the one property
    that differs most, if it differs more than chance allows, or else of the one product of two standardised properties:
    classifiers of few samples lose these among many properties.

    described  properties of each sample; NaN is allowed
    part       which samples are of the first part
    rng        deals the folds
    groups     a number for each sample: whole groups lie in one fold; None, the default, for none
    name       of the estimate; blind.auc by default
    level      two-sided coverage of the interval, in (0, 1); 0.95 by default

    Returns the AUC and each sample's score; None if either part has fewer than 20 samples or groups, or nothing is
    described.

    >>> rng = np.random.default_rng(0)
    >>> part = np.arange(200) % 2 == 0
    >>> shifted = rng.normal(size=(200, 2)) + part[:, None]
    >>> blind_baseline(shifted, part, rng).auc.low > 0.5
    True
    """
    chosen = np.sort(rng.permutation(len(part))[:LARGEST])
    own = None if groups is None else groups[chosen]
    units = [chosen[part[chosen] == side] for side in (True, False)]
    sizes = [len(one) if groups is None else len(np.unique(groups[one])) for one in units]
    if min(sizes) < FEWEST or not described.shape[1]:
        return None
    x, y = np.ascontiguousarray(described[chosen], dtype=np.float64), part[chosen]
    fold, score = np.full(len(y), -1), np.zeros(len(y))
    for number, (known, held) in enumerate(_folds(y, own, int(rng.integers(2**31)))):
        fold[held] = number
        if len(np.unique(y[known])) == 2 and len(held):
            score[held] = _scores(x[known], y[known], x[held])
    propensity = np.full(len(part), np.nan)
    propensity[chosen] = score
    found = stratified_auc(score, y, fold, cluster=own, inflation=SHARED, name=name, level=level)
    if found.low <= 0.5:
        filled, single = np.nan_to_num(x), 1 - (1 - level) / SINGLE
        one = most_different(filled, y, rng, groups=own, name=name, level=single)
        if one is None and 2 <= filled.shape[1] <= PAIRED:
            one = most_different(_products(filled), y, rng, groups=own, name=name, level=single)
        found = one or found
    return BlindBaseline(auc=found, propensity=propensity)


def _products(values: Float64[np.ndarray, "samples properties"]) -> Float64[np.ndarray, "samples pairs"]:
    """Of two properties each, standardised: two that correlate in one part only differ in their product."""
    one, other = np.triu_indices(values.shape[1], 1)
    scaled = _standardised(values, values)
    return np.asarray(scaled[:, one] * scaled[:, other])


def _folds(
    part: Bool[np.ndarray, " samples"], groups: Int[np.ndarray, " samples"] | None, seed: int
) -> list[tuple[Int[np.ndarray, " known"], Int[np.ndarray, " held"]]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    return list(kind(n_splits=FOLDS, shuffle=True, random_state=seed).split(part[:, None], part, groups))


def _scores(
    known: Float64[np.ndarray, "known properties"],
    part: Bool[np.ndarray, " known"],
    held: Float64[np.ndarray, "held properties"],
) -> Float64[np.ndarray, " held"]:
    """The mean of both classifiers' ranks among the held samples."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if known.shape[1] > LARGEST_WHOLE:
        screened = _screened(known, part)
        known, held = known[:, screened], held[:, screened]
    both = _with_distances(known, held)
    linear = LogisticRegression(C=0.1, max_iter=300).fit(both[0], part)
    trees = HistGradientBoostingClassifier(
        max_iter=20,
        max_leaf_nodes=8,
        learning_rate=0.2,
        min_samples_leaf=10,
        max_bins=63,
        early_stopping=False,
        random_state=0,
    ).fit(known, part)
    found = (
        linear.decision_function(both[1]),
        trees.decision_function(held),
    )
    return np.asarray(sum(midranks(np.asarray(one, dtype=np.float64)) for one in found) / (2 * len(held)))


def _with_distances(
    known: Float64[np.ndarray, "known properties"], held: Float64[np.ndarray, "held properties"]
) -> tuple[Float64[np.ndarray, "known twice"], Float64[np.ndarray, "held twice"]]:
    """Both parts standardised, and how far each value is from the mean, standardised too: parts that differ in spread
    alone are not linear in the values."""
    standardised = _standardised(known, known), _standardised(held, known)
    apart = np.abs(standardised[0]), np.abs(standardised[1])
    values = [np.hstack([one, _standardised(far, apart[0])]) for one, far in zip(standardised, apart, strict=True)]
    return values[0], values[1]


def _standardised(
    values: Float64[np.ndarray, "samples properties"], known: Float64[np.ndarray, "known properties"]
) -> Float64[np.ndarray, "samples properties"]:
    centre, scale = known.mean(axis=0), known.std(axis=0)
    scale = np.where(scale > 1e-12 * (1 + np.abs(centre)), scale, 1.0)
    return np.asarray(np.clip((values - centre) / scale, -8, 8))


def _screened(
    known: Float64[np.ndarray, "known properties"], part: Bool[np.ndarray, " known"]
) -> Int[np.ndarray, " chosen"]:
    """The properties with the largest t statistics, of their values and of the distances from their means."""
    chosen = []
    for values in (known, np.abs(known - known.mean(axis=0))):
        one, other = values[part], values[~part]
        error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
        difference = np.abs(one.mean(axis=0) - other.mean(axis=0)) / np.maximum(error, 1e-12)
        chosen.append(np.argsort(-difference, kind="stable")[:SCREENED])
    return np.unique(np.concatenate(chosen))
