"""Metrics of one model's answers on chosen samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import balanced_accuracy_score, f1_score

from probes.evidence import Answers

Metric = Callable[[Answers, Int[np.ndarray, " samples"], Bool[np.ndarray, " samples"]], float]
"""(answers of one model, labels, which samples) → value."""


def accuracy(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    return float((answers.predicted[0, chosen] == labels[chosen]).mean())


def log_loss(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    """Mean negative log-probability of the label, in nats."""
    return float(-answers.log_prob[0, chosen].astype(np.float64).mean())


def balanced_accuracy(
    answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]
) -> float:
    """Mean recall over the classes that occur."""
    present = np.unique(labels[chosen])
    predicted = answers.predicted[0, chosen]
    if not np.isin(predicted, present).all():
        return float(np.mean([(predicted[labels[chosen] == one] == one).mean() for one in present]))
    return float(balanced_accuracy_score(labels[chosen], predicted))


def macro_f1(answers: Answers, labels: Int[np.ndarray, " samples"], chosen: Bool[np.ndarray, " samples"]) -> float:
    return float(f1_score(labels[chosen], answers.predicted[0, chosen], average="macro", zero_division=0.0))


METRICS: Mapping[str, tuple[Metric, str]] = {
    "accuracy": (accuracy, "fraction"),
    "log_loss": (log_loss, "nats"),
    "balanced_accuracy": (balanced_accuracy, "fraction"),
    "macro_f1": (macro_f1, "fraction"),
}


def brier(
    confidence: Float[np.ndarray, " samples"], correct: Bool[np.ndarray, " samples"]
) -> Float[np.ndarray, " samples"]:
    """Squared error of the confidence in the predicted class, a sample (Brier 1950, top label)."""
    return np.asarray((confidence.astype(np.float64) - correct) ** 2)
