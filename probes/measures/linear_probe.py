"""A linear probe: logistic regression on a network's frozen features (Alain & Bengio 2017)."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float, Int


def linear_probe(
    features: Float[np.ndarray, "samples features"],
    labels: Int[np.ndarray, " samples"],
    *others: Float[np.ndarray, "others features"],
    most: int = 200,
) -> tuple[Int[np.ndarray, " others"], ...]:
    """A logistic regression on features, L2 of strength 1, and what it predicts. Of one class, that class.

    features  float, of the samples it is fitted on; standardised
    labels    a class for each of them
    others    float, the features of samples that are predicted: any number of arrays
    most      iterations at the most, at least 1; 200 by default

    Returns a class for each sample, an array for each of `others`.

    >>> linear_probe(np.array([[0.0], [1.0]]), np.array([3, 5]), np.array([[-1.0], [2.0]]))[0].tolist()
    [3, 5]
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) < 2:
        return tuple(np.full(len(one), labels[0], dtype=np.int64) for one in others)
    mean, spread = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    model = LogisticRegression(max_iter=most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit((features - mean) / spread, labels)
    return tuple(np.asarray(model.predict((one - mean) / spread), dtype=np.int64) for one in others)
