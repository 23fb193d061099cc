"""Tables: a column that alone gives the label away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Shaped

from probes.evidence import Evidence
from probes.result import Estimate, Figure, Finding, Table
from probes.statistics.roc import auc

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

MOST_SAMPLES = 5000
LEAF = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """The column that tells the label best, chosen on members, judged on held-out samples; and the next best."""

    number: int
    estimate: Estimate
    others: Float64[np.ndarray, " columns"]
    """AUC of every column on members, by which it was chosen."""


def scaled(inputs: Shaped[np.ndarray, "samples ..."]) -> Float32[np.ndarray, "samples features"]:
    """Columns about their median, over their spread from the 5th to the 95th percentile; NaN is the median."""
    table = inputs.reshape(len(inputs), -1).astype(np.float64)
    middle = np.nanmedian(table, axis=0)
    low, high = np.nanquantile(table, [0.05, 0.95], axis=0)
    spread = np.where(high > low, high - low, np.maximum(np.nanstd(table, axis=0), 1e-12))
    return np.asarray(np.nan_to_num((table - middle) / spread, nan=0.0), dtype=np.float32)


def leaking_column(
    inputs: Shaped[np.ndarray, "samples ..."],
    labels: Int[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    held_out: Bool[np.ndarray, " samples"],
    rng: np.random.Generator,
    level: float,
) -> Column | None:
    """A small tree on every column alone, so that any function of the column counts, not only a monotone one.

    The AUC is the mean over classes (one against the rest) on held-out samples; its interval is the mean of DeLong's
    ends for the classes, which is wider than the interval of the mean. None where no class is on both sides.
    """
    table = np.nan_to_num(inputs.reshape(len(inputs), -1).astype(np.float64), nan=-1e12)
    train = rng.permutation(np.flatnonzero(member))[:MOST_SAMPLES]
    half = len(train) // 2
    if half < 2 * LEAF or len(np.unique(labels[train])) < 2:
        return None
    # One half grows the trees, the other chooses among the columns.
    chosen = np.array(
        [
            _mean_auc(_grow(table[train[:half], c], labels[train[:half]]), table[:, c], labels, train[half:])
            for c in range(table.shape[1])
        ]
    )
    best = int(np.nanargmax(np.where(np.isfinite(chosen), chosen, -1.0)))
    tree = _grow(table[train, best], labels[train])
    ends = _class_aucs(tree, table[:, best], labels, np.flatnonzero(held_out), level)
    if not ends:
        return None
    value, low, high = np.mean([(one.value, one.low, one.high) for one in ends], axis=0)
    estimate = Estimate(
        name="leaking_column_auc",
        value=float(value),
        low=float(min(low, value)),
        high=float(max(high, value)),
        level=level,
        n=int(held_out.sum()),
        counted="held-out samples",
        unit="AUC",
        better="lower",
    )
    return Column(number=best, estimate=estimate, others=chosen)


def column_leak(
    evidence: Evidence, rng: np.random.Generator, level: float, *, leak_at: float
) -> tuple[list[Estimate], list[Finding], list[Figure]]:
    """What to say of a table's best column; empty for all that is no table of numbers."""
    if evidence.modality != "table" or evidence.inputs.dtype.kind not in "fiub":
        return [], [], []
    pool = evidence.pool
    column = leaking_column(evidence.inputs, evidence.labels, pool.member, pool.held_out, rng, level)
    if column is None:
        return [], [], []
    names = evidence.feature_names or tuple(f"column {i}" for i in range(len(column.others)))
    best = np.argsort(-np.nan_to_num(column.others), kind="stable")[:20]
    table = Table(
        name="columns",
        title="How well each column alone tells the label",
        caption="AUC of a small tree on that column, on members it was not grown on; the 20 best.",
        columns={
            "column": [names[int(i)] for i in best],
            "AUC": [round(float(column.others[i]), 4) for i in best],
        },
    )
    if column.estimate.low <= leak_at:
        return [column.estimate], [], [table]
    finding = Finding(
        code="contamination.leaking-column",
        severity="high" if column.estimate.value > 0.99 else "medium",
        claim=f"Column {names[column.number]!r} alone gives the label away: AUC {column.estimate.value:.3f} "
        f"({column.estimate.low:.3f} to {column.estimate.high:.3f}). Was it known before the label was?",
        because=(column.estimate.name,),
        values={"column": names[column.number], "auc": round(column.estimate.value, 4)},
    )
    return [column.estimate], [finding], [table]


def _grow(column: Float64[np.ndarray, " samples"], labels: Int[np.ndarray, " samples"]) -> DecisionTreeClassifier:
    from sklearn.tree import DecisionTreeClassifier  # a configuration is checked without it

    leaves = max(8, 4 * len(np.unique(labels)))
    tree = DecisionTreeClassifier(min_samples_leaf=LEAF, max_leaf_nodes=leaves, random_state=0)
    return tree.fit(column[:, None], labels)


def _class_aucs(
    tree: DecisionTreeClassifier,
    column: Float64[np.ndarray, " samples"],
    labels: Int[np.ndarray, " samples"],
    on: Int[np.ndarray, " chosen"],
    level: float,
) -> list[Estimate]:
    probability = tree.predict_proba(column[on, None])
    found = []
    for position, label in enumerate(tree.classes_):
        mine = labels[on] == label
        if mine.any() and not mine.all():
            found.append(auc(probability[:, position], mine, level=level))
    # Of two classes, one against the rest says the same twice.
    return found[:1] if len(tree.classes_) == 2 else found


def _mean_auc(
    tree: DecisionTreeClassifier,
    column: Float64[np.ndarray, " samples"],
    labels: Int[np.ndarray, " samples"],
    on: Int[np.ndarray, " chosen"],
) -> float:
    found = _class_aucs(tree, column, labels, on, 0.95)
    return float(np.mean([one.value for one in found])) if found else float("nan")
