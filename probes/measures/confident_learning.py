"""Labels that confident learning suspects."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int64

from probes.evidence import Evidence, Population


def out_of_fold(
    evidence: Evidence, splits: Population
) -> tuple[Float64[np.ndarray, " samples"], Int64[np.ndarray, " samples"], Float64[np.ndarray, " samples"]]:
    """Mean probability of the given label over the replicas that did not train on the sample; the other class they
    predict most, and a lower bound of its mean probability (only predictions' own confidence is kept). NaN outside the
    pool."""
    out = ~splits.keep & (evidence.pool.member | evidence.pool.held_out)
    n_out = out.sum(axis=0)
    total = np.maximum(n_out, 1)
    own = (np.exp(splits.answers.log_prob.astype(np.float64)) * out).sum(axis=0) / total
    predicted, confidence = splits.answers.predicted, splits.answers.confidence.astype(np.float64)
    best, mass = np.full(len(n_out), -1, dtype=np.int64), np.zeros(len(n_out))
    for label in range(len(evidence.classes)):
        here = (confidence * ((predicted == label) & out)).sum(axis=0) / total
        better = (here > mass) & (evidence.labels != label)
        best[better], mass[better] = label, here[better]
    nothing = n_out == 0
    return np.where(nothing, np.nan, own), best, np.where(nothing, np.nan, mass)


def suspected(
    labels: Int64[np.ndarray, " samples"],
    own: Float64[np.ndarray, " samples"],
    rival: Int64[np.ndarray, " samples"],
    rival_probability: Float64[np.ndarray, " samples"],
) -> Bool[np.ndarray, " samples"]:
    """The off-diagonal of the confident joint (eq. 1): another class whose probability reaches that class's average
    self-confidence, and exceeds the given label's."""
    threshold = np.full(int(max(labels.max(), rival.max())) + 1, np.inf)
    for label in np.unique(labels[np.isfinite(own)]):
        threshold[label] = own[np.isfinite(own) & (labels == label)].mean()
    confident = (rival >= 0) & (np.nan_to_num(rival_probability) >= threshold[np.maximum(rival, 0)])
    return np.asarray(confident & (np.nan_to_num(rival_probability) > np.nan_to_num(own)))
