"""Which pairs of a table's columns may tell more of the label than either column does: three inexpensive scores of each
pair, beside those of its columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int

MOST_VALUES = 32
"""Values of a column that are codes of their own; of more words, the rarest share one; more numbers are put in bins."""
MOST_COLUMNS = 2000
MOST_BINS = 4000
"""Bins of all columns together, in the search over cells of two columns."""
MOST_NUMBERS = 200
"""Columns of numbers, in the search over sums, differences, products and ratios."""
SORTED = 300
"""Samples that are sorted by each of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Facet:
    """One original column, as the screens read it.

    number  its values, missing ones NaN; None for words
    codes   small whole numbers: its value, word or bin
    few     whether a code is one value
    """

    number: Float64[np.ndarray, " samples"] | None
    codes: Int[np.ndarray, " samples"]
    few: bool


def numbers_in_bins(column: Float64[np.ndarray, " samples"], bins: int) -> tuple[Int[np.ndarray, " samples"], bool]:
    """Codes of a column of numbers: its values if they are few, otherwise quantile bins; a missing number has its own.
    And whether they are values.

    column  numbers, missing ones NaN
    bins    at least 2

    >>> codes, few = numbers_in_bins(np.array([5.0, 1.0, np.nan, 5.0]), 2)
    >>> codes.tolist(), few
    ([1, 0, 2, 1], True)
    """
    values, codes = np.unique(column, return_inverse=True)
    if len(values) <= MOST_VALUES:
        return codes, True
    inner = np.nanquantile(column, np.arange(1, bins) / bins)
    return np.where(np.isnan(column), bins, np.searchsorted(inner, column, side="right")), False


def frequent_words(codes: Int[np.ndarray, " samples"]) -> Int[np.ndarray, " samples"]:
    """Codes 0, 1, … of words from the most frequent one; those beyond `MOST_VALUES` share the last.

    codes  any whole numbers

    >>> frequent_words(np.array([7, 3, 3])).tolist()
    [1, 0, 0]
    """
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.minimum(rank, MOST_VALUES - 1)[place]


def screened(
    facets: Sequence[Facet], labels: Int[np.ndarray, " samples"], most: int
) -> tuple[list[tuple[int, int]], int]:
    """The pairs that gain most over their columns by each screen, the most promising first, and how many were searched.

    facets  columns, the most telling ones first: where there are too many, the last are left out
    labels  of the same samples
    most    pairs from each screen
    """
    facets = facets[:MOST_COLUMNS]
    count = len(facets)
    cells = _of_cells(facets, labels)
    numbers = [i for i, facet in enumerate(facets) if facet.number is not None and _more_than_two(facet)]
    searched = np.triu(np.isfinite(cells), 1)
    for i in numbers[MOST_NUMBERS:]:
        searched[i, numbers] = searched[numbers, i] = False
    found: list[tuple[float, int]] = []
    for gain in (cells, *_of_numbers(facets, numbers[:MOST_NUMBERS], labels)):
        flat = np.where(searched & np.isfinite(gain), gain, -np.inf).ravel()
        best = np.argsort(-flat, kind="stable")[:most]
        found += [(float(flat[at]), int(at)) for at in best if flat[at] > 0]
    ordered = dict.fromkeys(at for _, at in sorted(found, key=lambda one: -one[0]))
    return [(at // count, at % count) for at in ordered], int(searched.sum())


def _more_than_two(facet: Facet) -> bool:
    """Whether it has more than two values: two by two are cells."""
    return not facet.few or int(facet.codes.max()) > 1


def _of_cells(facets: Sequence[Facet], labels: Int[np.ndarray, " samples"]) -> Float64[np.ndarray, "columns columns"]:
    """Any coarse function of two columns: the balanced accuracy of the most frequent class of their cell, each sample
    left out in turn. The diagonal are the columns alone."""
    sizes = np.array([int(facet.codes.max()) + 1 for facet in facets])
    used = int(np.searchsorted(np.cumsum(sizes), MOST_BINS, side="right"))
    ends = np.cumsum(sizes[:used])
    starts = ends - sizes[:used]
    marks = np.zeros((len(labels), int(ends[-1]) if used else 0), dtype=np.float32)
    for facet, start in zip(facets[:used], starts, strict=True):
        marks[np.arange(len(labels)), start + facet.codes] = 1
    score = np.full((len(facets), len(facets)), np.nan)
    for i in range(used):
        right = _left_out(marks[:, starts[i] : ends[i]], marks[:, starts[i] :], labels)
        score[i, i:used] = np.add.reduceat(right.sum(axis=0), starts[i:used] - starts[i])
    return _gain(score, np.diagonal(score))


def _left_out(
    mine: np.ndarray, others: np.ndarray, labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, "values bins"]:
    """By cell, the share of samples, of classes of equal weight, that the other samples in the cell tell right."""
    classes = np.unique(labels)
    first = np.zeros((mine.shape[1], others.shape[1]))
    second, weight = np.zeros_like(first), np.zeros_like(first)
    for label in classes:
        some = labels == label
        share = 1 / (some.sum() * len(classes))
        votes = (mine[some].T @ others[some]).astype(np.float64) * share
        leads = votes > first
        second = np.where(leads, first, np.maximum(second, votes))
        first, weight = np.where(leads, votes, first), np.where(leads, share, weight)
    # The sample itself is one of its cell's.
    return np.asarray(np.where(first - weight > second + 1e-9, first, 0.0))


def _of_numbers(
    facets: Sequence[Facet], at: Sequence[int], labels: Int[np.ndarray, " samples"]
) -> Iterator[Float64[np.ndarray, "columns columns"]]:
    """Any function of a sum, difference, product or ratio of these columns, and any linear one."""
    if len(at) < 2:
        return
    table = np.stack([np.asarray(facets[i].number) for i in at], axis=1)
    many = np.array([not facets[i].few for i in at])
    for gain in (_of_orders(table, many, labels), _of_directions(table, labels)):
        whole = np.full((len(facets), len(facets)), np.nan)
        whole[np.ix_(at, at)] = gain
        yield np.fmax(whole, whole.T)


def _of_orders(
    table: Float64[np.ndarray, "samples columns"],
    many: Bool[np.ndarray, " columns"],
    labels: Int[np.ndarray, " samples"],
) -> Float64[np.ndarray, "columns columns"]:
    """Sorted by x + y, x − y, x y or x / y: how often neighbours are of one class, classes of equal weight."""
    table, labels = table[:SORTED], labels[:SORTED]
    count = table.shape[1]
    score = np.full((count, count), np.nan)
    alone = _neighbours(table, labels)
    for i in range(count - 1):
        x, y = table[:, i : i + 1], table[:, i + 1 :]
        score[i, i + 1 :] = np.max([_neighbours(one, labels) for one in combined(x, y)], axis=0)
        if not many[i]:
            # Few values by few values are cells.
            score[i, i + 1 :][~many[i + 1 :]] = np.nan
    return _gain(score, alone)


def combined(
    x: Float64[np.ndarray, "samples columns"], y: Float64[np.ndarray, "samples others"]
) -> list[Float64[np.ndarray, "samples others"]]:
    """x + y, x − y, x y and x / y; NaN where one is missing, 0 for a division by 0.

    x, y  numbers

    >>> [float(one[0, 0]) for one in combined(np.array([[6.0]]), np.array([[3.0]]))]
    [9.0, 3.0, 18.0, 2.0]
    """
    return [x + y, x - y, x * y, np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y))]


def _neighbours(
    table: Float64[np.ndarray, "samples columns"], labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, " columns"]:
    """By column, the mean over classes of how often a sample's neighbour has its class."""
    ordered = labels[np.argsort(table, axis=0, kind="stable")]
    same = ordered[1:] == ordered[:-1]
    found = np.zeros(table.shape[1])
    classes = np.unique(labels)
    for label in classes:
        mine = ordered == label
        beside = np.zeros(mine.shape)
        beside[1:] += same
        beside[:-1] += same
        beside[1:-1] /= 2
        found += (beside * mine).sum(axis=0) / mine[:, 0].sum()
    return np.asarray(found / len(classes))


def _of_directions(
    table: Float64[np.ndarray, "samples columns"], labels: Int[np.ndarray, " samples"]
) -> Float64[np.ndarray, "columns columns"]:
    """The share of the classes' variance that a linear function of two columns explains, R² of two regressors."""
    centred = np.nan_to_num(table - np.nanmean(table, axis=0))
    scale = np.sqrt((centred**2).mean(axis=0))
    scaled = centred / np.where(scale > 0, scale, np.inf)
    classes = np.unique(labels)
    marks = (labels[:, None] == classes).astype(np.float64)
    marks = (marks - marks.mean(axis=0)) / marks.std(axis=0)
    with_label = scaled.T @ marks / len(labels)
    together = scaled.T @ scaled / len(labels)
    both = with_label @ with_label.T
    own = (with_label**2).sum(axis=1)
    apart = np.maximum(1 - together**2, 1e-10)
    explained = (own[:, None] + own[None, :] - 2 * together * both) / apart / len(classes)
    np.fill_diagonal(explained, np.nan)
    return _gain(np.where(apart > 1e-10, explained, np.nan), own / len(classes))


def _gain(
    score: Float64[np.ndarray, "columns columns"], alone: Float64[np.ndarray, " columns"]
) -> Float64[np.ndarray, "columns columns"]:
    """What a pair adds to the better of its columns."""
    return np.asarray(score - np.maximum(alone[:, None], alone[None, :]))
