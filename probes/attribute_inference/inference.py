"""Infers a column of a record from its other columns and its label, with and without the model.

Without a baseline, attribute inference is mostly imputation (Jayaraman & Evans 2022): what counts is what the model
adds, and what it adds for members beyond what it adds for others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64
from scipy.special import logsumexp

from probes.result import Estimate
from probes.statistics.student_t import t_critical

FOLDS = 5
FEWEST = 4 * FOLDS
"""Fewest records on either side, and of each value, for a column to be tried."""
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Candidate weights of the model's likelihood against the imputation's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inferred:
    """Shares of records whose value is inferred correctly, with the model and without; `excess` is what the model adds
    for members minus what it adds for the others, `gain` what it adds for members."""

    name: str
    values: int
    without: float
    with_members: float
    with_others: float
    gain: Estimate
    excess: Estimate


def inferred(
    name: str,
    others: Float64[np.ndarray, "records features"],
    value: Int64[np.ndarray, " records"],
    log_prob: Float64[np.ndarray, "records values"],
    member: Bool[np.ndarray, " records"],
    rng: np.random.Generator,
    level: float,
) -> Inferred | None:
    """`others` are the columns and the label that the attacker knows, `log_prob` is the model's log-probability of the
    label under each value. The imputation is a logistic regression on records of other folds; the attacker adds the
    model's likelihood of each value (as CSMIA does, Mehnaz et al. 2022), with the weight that is best on members of
    other folds. None if a side, or a value, has too few records.
    """
    if min(member.sum(), (~member).sum(), np.bincount(value).min()) < FEWEST or len(np.unique(value)) < 2:
        return None
    # Imported late: a configuration is checked without them, and they take 40 MB.
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    scaled = StandardScaler().fit_transform(others)
    imputation = LogisticRegression(max_iter=1000, C=0.1)
    imputed = cross_val_predict(imputation, scaled, value, cv=folds, method="predict_log_proba")
    told = log_prob - logsumexp(log_prob, axis=1, keepdims=True)
    alone = imputed.argmax(axis=1) == value
    right = np.stack([(imputed + weight * told).argmax(axis=1) == value for weight in WEIGHTS])
    chosen = np.zeros(len(value), dtype=bool)
    for train, test in folds.split(scaled, value):
        best = int(right[:, train[member[train]]].mean(axis=1).argmax())
        chosen[test] = right[best, test]
    added = chosen.astype(np.float64) - alone
    return Inferred(
        name=name,
        values=log_prob.shape[1],
        without=float(alone[member].mean()),
        with_members=float(chosen[member].mean()),
        with_others=float(chosen[~member].mean()),
        gain=_mean("checkpoint.attribute_gain", added[member], level),
        excess=_difference("checkpoint.attribute_excess", added[member], added[~member], level),
    )


def worst(found: Sequence[Estimate], level: float) -> tuple[int, Estimate]:
    """The largest of estimates; its interval runs from the largest lower to the largest upper end.

    found  estimates at 1 − (1 − level)/their number
    level  that the interval of the largest has, in (0, 1)

    Returns its place among them, and the estimate.
    """
    place = int(np.argmax([one.value for one in found]))
    low, high = (max(getattr(one, side) for one in found) for side in ("low", "high"))
    return place, dataclasses.replace(found[place], low=low, high=high, level=level)


def _mean(name: str, added: Float64[np.ndarray, " members"], level: float) -> Estimate:
    n = len(added)
    half = t_critical(level, n - 1) * _error(added)
    value = float(added.mean())
    return Estimate(
        name=name, value=value, low=value - half, high=value + half, level=level, n=n, unit="points", dof=n - 1.0
    )


def _difference(
    name: str, one: Float64[np.ndarray, " members"], other: Float64[np.ndarray, " others"], level: float
) -> Estimate:
    """Welch's interval."""
    errors = _error(one) ** 2, _error(other) ** 2
    dof = sum(errors) ** 2 / (errors[0] ** 2 / (len(one) - 1) + errors[1] ** 2 / (len(other) - 1))
    half = t_critical(level, dof) * sum(errors) ** 0.5
    value = float(one.mean() - other.mean())
    n = len(one) + len(other)
    return Estimate(
        name=name,
        value=value,
        low=value - half,
        high=value + half,
        level=level,
        n=n,
        unit="points",
        better="lower",
        dof=float(dof),
    )


def _error(added: Float64[np.ndarray, " records"]) -> float:
    """Standard error; if nothing was added at all, as if one record had changed either way."""
    n = len(added)
    return max(float(added.std(ddof=1)), float(n**-0.5)) / float(n**0.5)


def known(
    table: Float64[np.ndarray, "records features"], first: int, end: int, labels: Int[np.ndarray, " records"]
) -> Float64[np.ndarray, "records known"]:
    """All columns but one, and the label as dummies."""
    rest = np.delete(np.nan_to_num(table), np.s_[first:end], axis=1)
    return np.hstack([rest, labels[:, None] == np.unique(labels)]).astype(np.float64)
