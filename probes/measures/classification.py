"""Metrics of one model's answers on chosen samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, Int64

from probes.answers import Answers

Metric = Callable[[Answers, Int[np.ndarray, " samples"], Bool[np.ndarray, " samples"]], float]
"""(answers of one model, labels, which samples) → value."""


def accuracy(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    """The share of the chosen samples whose label is predicted.

    answers  of the models, the first of which is looked at
    labels   the true class of each sample
    chosen   the samples that count, at least one

    Returns a fraction.

    >>> from probes.answers import answers
    >>> found = answers(np.array([[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]]), np.array([0, 1, 1]))
    >>> round(accuracy(found, np.array([0, 1, 1]), np.ones(3, dtype=bool)), 3)
    0.667
    """
    return float((answers.predicted[0, chosen] == labels[chosen]).mean())


def log_loss(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    """Mean negative log-probability of the label, in nats.

    answers  of the models, the first of which is looked at
    labels   not looked at: the answers are about the labels already
    chosen   the samples that count, at least one

    Returns nats per sample.

    >>> from probes.answers import answers
    >>> found = answers(np.array([[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]]), np.array([0, 1, 1]))
    >>> round(log_loss(found, np.array([0, 1, 1]), np.ones(3, dtype=bool)), 3)
    0.794
    """
    return float(-answers.log_prob[0, chosen].astype(np.float64).mean())


def balanced_accuracy(
    answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]
) -> float:
    """Mean recall over the classes that occur.

    answers  of the models, the first of which is looked at
    labels   the true class of each sample
    chosen   the samples that count, at least one

    Returns a fraction.

    >>> from probes.answers import answers
    >>> found = answers(np.array([[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]]), np.array([0, 1, 1]))
    >>> round(balanced_accuracy(found, np.array([0, 1, 1]), np.ones(3, dtype=bool)), 3)
    0.75
    """
    return mean_recall(answers.predicted[0, chosen], labels[chosen])


def mean_recall(predicted: Int[np.ndarray, " samples"], labels: Int[np.ndarray, " samples"]) -> float:
    """Balanced accuracy of any predictions: the mean over the classes that occur of the share that is right.

    predicted  a class for each sample
    labels     the true ones

    Returns a fraction.

    >>> mean_recall(np.array([0, 1, 0]), np.array([0, 1, 1]))
    0.75
    """
    _, place, occurs = np.unique(labels, return_inverse=True, return_counts=True)
    right = np.bincount(place.reshape(-1), weights=predicted == labels)
    return float((right / occurs).mean())


def macro_f1(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    """Mean over the classes that occur or are predicted of 2·right / (occurrences + predictions).

    answers  of the models, the first of which is looked at
    labels   the true class of each sample
    chosen   the samples that count, at least one

    Returns a fraction.

    >>> from probes.answers import answers
    >>> found = answers(np.array([[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]]), np.array([0, 1, 1]))
    >>> round(macro_f1(found, np.array([0, 1, 1]), np.ones(3, dtype=bool)), 3)
    0.667
    """
    right, true, told = _counts(answers, labels, chosen)
    either = true + told > 0
    return float((2 * right[either] / (true + told)[either]).mean())


def _counts(
    answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]
) -> tuple[Int64[np.ndarray, " classes"], Int64[np.ndarray, " classes"], Int64[np.ndarray, " classes"]]:
    """By class: correct predictions, occurrences, predictions."""
    true, told = labels[chosen], answers.predicted[0, chosen]
    classes = int(max(true.max(), told.max())) + 1
    right, occurs, predicted = (np.bincount(one, minlength=classes) for one in (true[true == told], true, told))
    return right, occurs, predicted


METRICS: Mapping[str, tuple[Metric, str]] = {
    "accuracy": (accuracy, "fraction"),
    "log_loss": (log_loss, "nats"),
    "balanced_accuracy": (balanced_accuracy, "fraction"),
    "macro_f1": (macro_f1, "fraction"),
}


def brier(
    confidence: Float[np.ndarray, " samples"], correct: Bool[np.ndarray, " samples"]
) -> Float[np.ndarray, " samples"]:
    """Squared error of the confidence in the predicted class, per sample (Brier 1950, top label).

    confidence  the probability that the model gives its own prediction, in [0, 1]
    correct     whether that prediction is right

    Returns a number in [0, 1] for each sample.

    >>> brier(np.array([1.0, 0.5]), np.array([True, False])).tolist()
    [0.0, 0.25]
    """
    return np.asarray((confidence.astype(np.float64) - correct) ** 2)
