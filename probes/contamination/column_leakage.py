"""Tables: columns that give the label away, a single one or two together. The 0/1 columns made from one categorical
column count as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int, Shaped

from probes.contamination.column_pairs import leaking_pair, pair_leak
from probes.contamination.labelled_table import LabelledTable, columns_of
from probes.evidence import Evidence
from probes.large_arrays import empty, parts
from probes.message import Message
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, Table
from probes.statistics.roc import auc

MOST_SAMPLES = 5000
LEAF = 5
LARGEST = 1e30
"""Sums of such numbers are finite in single precision."""
Teller = Callable[[Float64[np.ndarray, "samples columns"]], Float64[np.ndarray, "samples classes"]]
"""The probability of each class, given the value of one column."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """The column that predicts the label best, chosen on members, judged on held-out samples; and the next best."""

    number: int
    estimate: Estimate
    others: Float64[np.ndarray, " columns"]
    """AUC of every column on members, by which it was chosen."""


def scaled(inputs: Shaped[np.ndarray, "samples ..."]) -> Float32[np.ndarray, "samples features"]:
    """Columns centred on their median, divided by their spread from the 5th to the 95th percentile; NaN becomes the
    median."""
    table = inputs.reshape(len(inputs), -1)
    middle, spread = np.empty(table.shape[1]), np.empty(table.shape[1])
    for columns in parts(table.shape[1], len(table)):
        some = table[:, columns].astype(np.float64)
        middle[columns] = np.nanmedian(some, axis=0)
        low, high = np.nanquantile(some, [0.05, 0.95], axis=0)
        spread[columns] = np.where(high > low, high - low, np.maximum(np.nanstd(some, axis=0), 1e-12))
    found = empty(table.shape, np.float32)
    for part in parts(*table.shape):
        found[part] = np.nan_to_num((table[part].astype(np.float64) - middle) / spread, nan=0.0)
    return found


def leaking_column(table: LabelledTable, rng: np.random.Generator, level: float) -> Column | None:
    """A small decision tree on every single numeric column, so that any function of it counts, not only a monotone one;
    for a categorical column, how often each value occurred with each class.

    The AUC is the mean over classes (one against the rest) on held-out samples; its interval is the mean of DeLong's
    ends for the classes, which is wider than the interval of the mean. None if no class is on both sides.
    """
    values, columns, labels = table.values, list(table.columns.values()), table.labels
    train = rng.permutation(np.flatnonzero(table.member))[:MOST_SAMPLES]
    half = len(train) // 2
    if half < 2 * LEAF or len(np.unique(labels[train])) < 2:
        return None
    # One half learns, the other chooses among the columns.
    chosen = np.array([_mean_auc(values, one, labels, learn_on=train[:half], on=train[half:]) for one in columns])
    best = int(np.nanargmax(np.where(np.isfinite(chosen), chosen, -1.0)))
    ends = _class_aucs(values, columns[best], labels, train, np.flatnonzero(table.held_out), level)
    if not ends:
        return None
    value, low, high = np.mean([(one.value, one.low, one.high) for one in ends], axis=0)
    estimate = Estimate(
        name="leaking_column_auc",
        value=float(value),
        low=float(min(low, value)),
        high=float(max(high, value)),
        level=level,
        n=int(table.held_out.sum()),
        counted="held-out samples",
        unit="AUC",
        better="lower",
    )
    return Column(number=best, estimate=estimate, others=chosen)


def column_leak(evidence: Evidence, rng: np.random.Generator, level: float, *, leak_at: float, pair_at: float) -> Part:
    """What to say of a table's best column, and of its best pair of columns.

    evidence  the audited model's samples and answers
    rng       draws the folds
    level     two-sided coverage of the interval, in (0, 1)
    leak_at   AUC from which the column is a finding, in (0.5, 1)
    pair_at   balanced accuracy from which two columns are a finding, in (0, 1)

    Returns the section; an empty one for anything but a table of numbers.
    """
    if evidence.modality != "table" or evidence.inputs.dtype.kind not in "fiub":
        return Part()
    pool = evidence.pool
    values = evidence.inputs.reshape(len(evidence.inputs), -1)
    names = evidence.feature_names or tuple(f"column {i}" for i in range(values.shape[1]))
    columns = columns_of(values, names)
    table = LabelledTable(
        values=values, columns=columns, labels=evidence.labels, member=pool.member, held_out=pool.held_out
    )
    column = leaking_column(table, rng, level)
    if column is None:
        return Part()
    pair = leaking_pair(table, rng, level, column.others)
    return joined([_of_column(column, list(columns), leak_at), pair_leak(columns, pair, pair_at)])


def _of_column(column: Column, whole: Sequence[str], leak_at: float) -> Part:
    best = np.argsort(-np.nan_to_num(column.others), kind="stable")[:20]
    shown = Table(
        name="columns",
        title=Message("contamination.columns.title"),
        caption=Message("contamination.columns.caption"),
        columns={
            "column": [whole[int(i)] for i in best],
            "AUC": [round(float(column.others[i]), 4) for i in best],
        },
    )
    if column.estimate.value <= leak_at:
        return Part(estimates=(column.estimate,), figures=(shown,))
    finding = Finding(
        code="contamination.leaking-column",
        severity="high" if column.estimate.value > 0.99 else "medium",
        because=(column.estimate.name,),
        values={
            "column": whole[column.number],
            "auc": column.estimate.value,
            "low": column.estimate.low,
            "high": column.estimate.high,
        },
    )
    return Part(estimates=(column.estimate,), findings=(finding,), figures=(shown,))


def _numbers(
    table: Shaped[np.ndarray, "samples features"], columns: Sequence[int], some: Int[np.ndarray, " chosen"]
) -> Float64[np.ndarray, "chosen columns"]:
    """These columns of some samples, at most `LARGEST` from 0; a missing number is one far below all others."""
    wide = np.nan_to_num(table[np.ix_(some, np.array(columns))].astype(np.float64), nan=-1e12)
    return np.asarray(np.clip(wide, -LARGEST, LARGEST))


def _learned(
    column: Float64[np.ndarray, "samples columns"], labels: Int[np.ndarray, " samples"]
) -> tuple[Teller, Int[np.ndarray, " classes"]]:
    if column.shape[1] > 1:
        return _counted(column, labels)
    if (values := _codes(column[:, 0], labels)) is not None:
        tell, classes = _counted((column == values).astype(np.float64), labels)
        return (lambda asked: tell((asked == values).astype(np.float64))), classes
    from sklearn.tree import DecisionTreeClassifier  # imported late: a configuration is checked without it

    count = len(np.unique(labels))
    leaves, leaf = max(8, 4 * count), min(LEAF, max(1, len(labels) // (4 * count)))
    tree = DecisionTreeClassifier(min_samples_leaf=leaf, max_leaf_nodes=leaves, random_state=0).fit(column, labels)
    return tree.predict_proba, tree.classes_


def _codes(
    column: Float64[np.ndarray, " samples"], labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, " values"] | None:
    """The values of a column whose repeated values have one class each: codes of the classes, which a small tree of few
    samples cannot tell apart. None if most samples have a value of their own, or a value has two classes."""
    values, first, place, counts = np.unique(column, return_index=True, return_inverse=True, return_counts=True)
    if counts[counts > 1].sum() <= len(column) / 2 or (labels != labels[first][place]).any():
        return None
    return values


def _counted(
    column: Float64[np.ndarray, "samples columns"], labels: Int[np.ndarray, " samples"]
) -> tuple[Teller, Int[np.ndarray, " classes"]]:
    """The share of each class among the samples with that word; one sample with the overall class shares is added, so
    that a word seen once is not decisive, and an unseen word is uninformative."""
    classes, coded = np.unique(labels, return_inverse=True)
    usual = np.bincount(coded, minlength=len(classes)) / len(labels)
    # The last row is for samples without any of the words.
    seen = np.zeros((column.shape[1] + 1, len(classes)))
    np.add.at(seen, (_words(column), coded), 1.0)
    shares = (seen + usual) / (seen.sum(axis=1, keepdims=True) + 1)
    return (lambda asked: np.asarray(shares[_words(asked)])), classes


def _words(column: Float64[np.ndarray, "samples columns"]) -> Int[np.ndarray, " samples"]:
    """Which word each sample has."""
    return np.asarray(np.where(column.any(axis=1), column.argmax(axis=1), column.shape[1]))


def _class_aucs(
    table: Shaped[np.ndarray, "samples features"],
    columns: Sequence[int],
    labels: Int[np.ndarray, " samples"],
    learn_on: Int[np.ndarray, " learned"],
    on: Int[np.ndarray, " chosen"],
    level: float,
) -> list[Estimate]:
    tell, classes = _learned(_numbers(table, columns, learn_on), labels[learn_on])
    probability = tell(_numbers(table, columns, on))
    found = []
    for position, label in enumerate(classes):
        mine = labels[on] == label
        if mine.any() and not mine.all():
            found.append(auc(probability[:, position], mine, level=level))
    # With two classes, one against the rest gives the same result twice.
    return found[:1] if len(classes) == 2 else found


def _mean_auc(
    table: Shaped[np.ndarray, "samples features"],
    columns: Sequence[int],
    labels: Int[np.ndarray, " samples"],
    *,
    learn_on: Int[np.ndarray, " learned"],
    on: Int[np.ndarray, " chosen"],
) -> float:
    found = _class_aucs(table, columns, labels, learn_on, on, 0.95)
    return float(np.mean([one.value for one in found])) if found else float("nan")
