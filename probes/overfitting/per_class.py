"""Errors by class: the confusion matrix, and each class's precision, recall and calibration, on held-out samples."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Int64

from probes.evidence import Evidence
from probes.measures.calibration import SMALLEST_BIN, calibration_error
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Table, by_column
from probes.statistics.proportions import proportion

MOST_CONFUSED, MOST_CLASSES = 20, 200
FEWEST = 5
"""The fewest samples of a class that can be reported as the worst."""


def per_class(evidence: Evidence, level: float) -> Part:
    """Tables of this checkpoint's held-out answers, and the worst class's recall and precision as estimates whose
    intervals are corrected for having examined all classes."""
    matrix = confusion(evidence)
    tables = (confusion_table(matrix, evidence.classes), class_table(matrix, evidence, level))
    worst = [
        one
        for name, right, of in (
            ("checkpoint.worst_class_recall", np.diag(matrix), matrix.sum(axis=1)),
            ("checkpoint.worst_class_precision", np.diag(matrix), matrix.sum(axis=0)),
        )
        if (one := lowest(name, right, of, level)) is not None
    ]
    return Part(estimates=tuple(worst), figures=tables)


def confusion(evidence: Evidence) -> Int64[np.ndarray, "classes classes"]:
    """Held-out samples by true class (rows) and predicted class (columns)."""
    held_out, count = evidence.pool.held_out, len(evidence.classes)
    true, told = evidence.labels[held_out], evidence.audited.predicted[0][held_out]
    return np.bincount(true * count + told, minlength=count * count).reshape(count, count).astype(np.int64)


def lowest(
    name: str, right: Int64[np.ndarray, " classes"], of: Int64[np.ndarray, " classes"], level: float
) -> Estimate | None:
    """The smallest share over classes, from the smallest lower to the smallest upper bound at 1 − (1 − level)/classes:
    it covers the smallest true value.

    name   of the estimate
    right  successes of each class
    of     trials of each class
    level  two-sided coverage of the interval, in (0, 1)

    Returns the estimate, a fraction; None if fewer than two classes are large enough.
    """
    usable = np.flatnonzero(of >= FEWEST)
    if len(usable) < 2:
        return None
    each = 1 - (1 - level) / len(usable)
    found = [proportion(name, int(right[i]), int(of[i]), level=each, better="higher") for i in usable]
    worst = min(found, key=lambda one: one.value)
    low, high = min(one.low for one in found), min(one.high for one in found)
    return dataclasses.replace(worst, low=low, high=high, level=level, counts=None)


def confusion_table(matrix: Int64[np.ndarray, "classes classes"], classes: tuple[str, ...]) -> Table:
    """The matrix itself if it is small enough to read, else the pairs that are confused most."""
    if len(classes) <= MOST_CONFUSED:
        columns: dict[str, list[str] | list[int]] = {"class": list(classes)}
        columns |= {f"→ {name}": [int(n) for n in matrix[:, i]] for i, name in enumerate(classes)}
        caption = Message("overfitting.confusion.caption")
    else:
        wrong = matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CLASSES]
        pairs = [divmod(int(i), len(classes)) for i in order if wrong.flat[i]]
        columns = {
            "class": [classes[true] for true, _ in pairs],
            "models say": [classes[told] for _, told in pairs],
            "count": [int(wrong[pair]) for pair in pairs],
        }
        caption = Message("overfitting.confusion.pairs", {"classes": len(classes)})
    return Table(name="confusion", title=Message("overfitting.confusion.title"), caption=caption, columns=columns)


def class_table(matrix: Int64[np.ndarray, "classes classes"], evidence: Evidence, level: float) -> Table:
    """Precision, recall and calibration error, one row per class, each with its interval."""
    rows = []
    for number, name in enumerate(evidence.classes[:MOST_CLASSES]):
        right, of, told = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
        cells = [
            name,
            of,
            *_share(right, of, level),
            *_share(right, told, level),
            *_calibration(evidence, number, level),
        ]
        rows.append(cells)
    shares = ("recall", "recall, interval", "precision", "precision, interval")
    heads = ("class", "samples", *shares, "calibration error", "calibration error, interval")
    return Table(
        name="per-class",
        title=Message("overfitting.per-class.title"),
        caption=Message("overfitting.per-class.caption", {"level": level, "fewest": SMALLEST_BIN}),
        columns=by_column(heads, rows),
    )


def _share(right: int, of: int, level: float) -> tuple[float | None, str]:
    if not of:
        return None, "–"
    one = proportion("share", right, of, level=level)
    return round(one.value, 3), f"{one.low:.3f} – {one.high:.3f}"


def _calibration(evidence: Evidence, number: int, level: float) -> tuple[float | None, str]:
    named = evidence.pool.held_out & (evidence.audited.predicted[0] == number)
    if named.sum() < SMALLEST_BIN:
        return None, "–"
    confidence = evidence.audited.confidence[0][named].astype(np.float64)
    one = calibration_error("calibration", confidence, evidence.audited.correct(evidence.labels)[0][named], level)
    return round(one.value, 3), f"{one.low:.3f} – {one.high:.3f}"
