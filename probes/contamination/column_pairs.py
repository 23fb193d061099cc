"""Tables: two columns that together give the label away, where neither does alone: an exclusive or, a threshold on a
sum or a difference, a code split over two columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Shaped

from probes.contamination.labelled_table import LabelledTable
from probes.contamination.pair_screens import (
    MOST_VALUES,
    Facet,
    combined,
    frequent_words,
    numbers_in_bins,
    screened,
)
from probes.measures.classification import mean_recall
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.proportions import clopper_pearson

SCREENED = 1000
"""Members on which every pair is scored."""
LEARNT = 2500
"""Members on which a prediction is fitted, and as many on which the pair is chosen."""
CANDIDATES = 8
"""Pairs from each screen that are fitted."""
EXACT = 0.95
"""Balanced accuracy on members that the pair must have to be judged on held-out samples."""
REMAINING = 0.25
"""Largest share of the better column's errors that the pair may leave."""
FEWEST = 20
LEAVES = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two columns with balanced accuracies on members to which nothing was fitted.

    alone     of the better of the two
    together  of both
    at_least  one-sided 95 % bound of `together`
    by        which of `_guesses` that is
    """

    columns: tuple[int, int]
    alone: float
    together: float
    at_least: float
    by: int

    @property
    def gives_away(self) -> bool:
        """Whether both tell nearly every label, and neither does: shown, not only seen, since two independent columns
        of an easy task leave a quarter of the errors of one where that is 93 % right."""
        return self.together >= EXACT and 1 - self.at_least <= REMAINING * (1 - self.alone)


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What a search among the pairs of columns found.

    searched  pairs that were scored
    pairs     of all columns
    best      the fitted pairs, the best first
    judged    the balanced accuracy of the first on held-out samples, if it gives the label away
    alone     that of its better column
    """

    searched: int
    pairs: int
    best: tuple[Pair, ...] = ()
    judged: Estimate | None = None
    alone: float = math.nan


def leaking_pair(
    table: LabelledTable, rng: np.random.Generator, level: float, telling: Float64[np.ndarray, " columns"]
) -> Search:
    """Looks for two columns that give the label away together: scored on some members, fitted on one half, chosen on
    the other, and judged on held-out samples.

    table    with its labels and its split
    rng      draws the members
    level    two-sided coverage of the interval, in (0, 1)
    telling  AUC of every column alone: where there are too many columns, the most telling ones are searched

    A table of two columns is not searched: that both are needed is its task. The interval is the mean of
    Clopper–Pearson's ends for the classes.
    """
    values, columns, labels = table.values, list(table.columns.values()), table.labels
    pairs = len(columns) * (len(columns) - 1) // 2
    train, on = rng.permutation(np.flatnonzero(table.member))[: 2 * LEARNT], np.flatnonzero(table.held_out)
    if len(columns) < 3 or len(train) < FEWEST or len(np.unique(labels[train])) < 2:
        return Search(searched=0, pairs=pairs)
    order = np.argsort(-np.nan_to_num(telling), kind="stable")
    some = _balanced(train, labels)
    seen = _facets(values, [columns[i] for i in order], some)
    candidates, searched = screened(seen, labels[some], CANDIDATES)
    found = [_fitted((int(order[i]), int(order[j])), values, columns, labels, train) for i, j in candidates]
    # Of equal ones, the one that gains most by its screen.
    best = tuple(sorted(found, key=lambda pair: (not pair.gives_away, -pair.together)))
    if not best or not best[0].gives_away:
        return Search(searched=searched, pairs=pairs, best=best)
    chosen = [columns[i] for i in best[0].columns]
    both = _facets(values, chosen, np.concatenate([train, on]))
    told = np.concatenate([labels[train], labels[on]])
    learn, ask = np.arange(len(train)), np.arange(len(train), len(told))
    judged = _estimate(_guesses(both, told, learn, ask)[best[0].by], told[ask], level)
    alone = max(mean_recall(guess, told[ask]) for one in both for guess in _guesses([one], told, learn, ask))
    return Search(searched=searched, pairs=pairs, best=best, judged=judged, alone=alone)


def pair_leak(columns: Mapping[str, Sequence[int]], found: Search, pair_at: float) -> Part:
    """What to say of a search among pairs of columns.

    columns  those of the table, by name
    found    by the search
    pair_at  balanced accuracy from which two columns are a finding, in (0, 1)
    """
    if not found.searched:
        return Part()
    values = {"searched": found.searched, "pairs": found.pairs}
    all_searched = found.searched == found.pairs
    note = Message("contamination.pairs" if all_searched else "contamination.pairs-of-the-best", values)
    if found.judged is None:
        return Part(notes=(note,))
    names = list(columns)
    shown = [pair for pair in found.best if pair.gives_away][:20]
    figure = Table(
        name="pairs",
        title=Message("contamination.pairs.title"),
        caption=Message("contamination.pairs.caption"),
        columns={
            "first column": [names[pair.columns[0]] for pair in shown],
            "second column": [names[pair.columns[1]] for pair in shown],
            "alone": [round(pair.alone, 4) for pair in shown],
            "together": [round(pair.together, 4) for pair in shown],
        },
    )
    part = Part(estimates=(found.judged,), figures=(figure,), notes=(note,))
    if found.judged.value <= pair_at:
        return part
    first, second = (names[i] for i in shown[0].columns)
    finding = Finding(
        code="contamination.leaking-pair",
        severity="high" if found.judged.value > 0.99 else "medium",
        because=(found.judged.name,),
        values={
            "first": first,
            "second": second,
            "together": found.judged.value,
            "low": found.judged.low,
            "high": found.judged.high,
            "alone": found.alone,
        },
    )
    return Part(estimates=part.estimates, findings=(finding,), figures=part.figures, notes=part.notes)


def _balanced(train: Int[np.ndarray, " members"], labels: Int[np.ndarray, " samples"]) -> Int[np.ndarray, " chosen"]:
    """At most `SCREENED` members in their order: all of the rare classes, equally many of the others."""
    _, place = np.unique(labels[train], return_inverse=True)
    # How many of its class came before.
    before = np.empty(len(train), dtype=np.int64)
    for label in range(int(place.max()) + 1):
        mine = np.flatnonzero(place == label)
        before[mine] = np.arange(len(mine))
    return train[np.sort(np.argsort(before, kind="stable")[:SCREENED])]


def _facets(
    table: Shaped[np.ndarray, "samples features"],
    columns: Sequence[Sequence[int]],
    samples: Int[np.ndarray, " chosen"],
) -> list[Facet]:
    """Some columns of some samples."""
    bins = 8 if len(samples) >= 512 else 4 if len(samples) >= 128 else 2
    found = []
    for features in columns:
        values = table[np.ix_(samples, np.array(features))].astype(np.float64)
        if len(features) > 1:
            words = np.where(values.any(axis=1), values.argmax(axis=1), values.shape[1])
            found.append(Facet(number=None, codes=frequent_words(words), few=len(features) < MOST_VALUES))
            continue
        # Products and squares of these are finite.
        number = np.where(np.isfinite(values[:, 0]), np.clip(values[:, 0], -1e100, 1e100), np.nan)
        codes, few = numbers_in_bins(number, bins)
        found.append(Facet(number=number, codes=codes, few=few))
    return found


def _fitted(
    pair: tuple[int, int],
    table: Shaped[np.ndarray, "samples features"],
    columns: Sequence[Sequence[int]],
    labels: Int[np.ndarray, " samples"],
    train: Int[np.ndarray, " members"],
) -> Pair:
    """Fitted on one half of the members, tried on the other; and the other way round if that promises anything."""
    both, told = _facets(table, [columns[i] for i in pair], train), labels[train]
    half = len(train) // 2
    learn, ask = np.arange(half), np.arange(half, len(train))
    alone, *together = first = _tried(both, told, learn, ask)
    by = int(np.argmax(together))
    if together[by] >= EXACT:
        second = _tried(both, told, ask, learn)
        alone, *together = ((one + other) / 2 for one, other in zip(first, second, strict=True))
    # As many samples as a plain share would need for the variance of a mean over classes.
    counts = np.unique(told, return_counts=True)[1]
    trials = max(1, int(len(counts) ** 2 / (1 / counts).sum()))
    at_least, _ = clopper_pearson(round(together[by] * trials), trials, 0.9)
    return Pair(columns=pair, alone=alone, together=together[by], at_least=at_least, by=by)


def _tried(
    both: Sequence[Facet],
    labels: Int[np.ndarray, " samples"],
    learn: Int[np.ndarray, " learnt"],
    ask: Int[np.ndarray, " asked"],
) -> tuple[float, ...]:
    """Balanced accuracy of the better column alone, and of each prediction from both."""
    alone = max(mean_recall(guess, labels[ask]) for one in both for guess in _guesses([one], labels, learn, ask))
    return alone, *(mean_recall(guess, labels[ask]) for guess in _guesses(both, labels, learn, ask))


def _guesses(
    facets: Sequence[Facet],
    labels: Int[np.ndarray, " samples"],
    learn: Int[np.ndarray, " learnt"],
    ask: Int[np.ndarray, " asked"],
) -> list[Int[np.ndarray, " asked"]]:
    """The labels of some samples as one or two columns tell them: by cell, and by a small decision tree on the numbers,
    their sum, difference, product and ratio, and their best linear functions."""
    found = [_by_cell(facets, labels, learn, ask)]
    if any(facet.number is not None for facet in facets):
        from sklearn.tree import DecisionTreeClassifier  # imported late: a configuration is checked without it

        features = _features(facets, labels, learn)
        leaves = max(LEAVES, 4 * len(np.unique(labels[learn])))
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, class_weight="balanced", random_state=0)
        found.append(np.asarray(tree.fit(features[learn], labels[learn]).predict(features[ask])))
    return found


def _by_cell(
    facets: Sequence[Facet],
    labels: Int[np.ndarray, " samples"],
    learn: Int[np.ndarray, " learnt"],
    ask: Int[np.ndarray, " asked"],
) -> Int[np.ndarray, " asked"]:
    """The most frequent class of each cell, classes of equal weight; that of all samples in a cell without any."""
    cell = np.zeros(len(labels), dtype=np.int64)
    for facet in facets:
        cell = cell * (int(facet.codes.max()) + 1) + facet.codes
    cells, place = np.unique(cell, return_inverse=True)
    classes, coded = np.unique(labels[learn], return_inverse=True)
    counts = np.bincount(coded, minlength=len(classes))
    votes = np.zeros((len(cells), len(classes)))
    np.add.at(votes, (place[learn], coded), 1 / counts[coded])
    told = np.where(votes.any(axis=1), votes.argmax(axis=1), counts.argmax())
    return np.asarray(classes[told[place[ask]]])


def _features(
    facets: Sequence[Facet], labels: Int[np.ndarray, " samples"], learn: Int[np.ndarray, " learnt"]
) -> Float64[np.ndarray, "samples features"]:
    """What a tree is fitted to: ranks among the samples that it learns from, so that no size is too large for it."""
    numbers = [facet.number for facet in facets if facet.number is not None]
    found = list(numbers)
    if len(numbers) == 2:
        x, y = (number[:, None] for number in numbers)
        known = (number[learn][np.isfinite(number[learn])] for number in numbers)
        middle = [number - (np.median(one) if len(one) else 0.0) for number, one in zip(numbers, known, strict=True)]
        found += [one[:, 0] for one in combined(x, y)] + [middle[0] * middle[1]]
        found += list(_directions(middle, labels, learn))
    ranks = [_ranks(one, learn) for one in found]
    words = [facet.codes for facet in facets if facet.number is None]
    ranks += [1.0 * (codes == code) for codes in words for code in range(int(codes.max()) + 1)]
    return np.stack(ranks, axis=1)


def _directions(
    middle: Sequence[Float64[np.ndarray, " samples"]],
    labels: Int[np.ndarray, " samples"],
    learn: Int[np.ndarray, " learnt"],
) -> Float64[np.ndarray, "classes samples"]:
    """The linear function of two columns that tells each class best from the others, by least squares."""
    table = np.nan_to_num(np.stack(middle, axis=1))
    scale = table[learn].std(axis=0)
    if not scale.all():
        return np.empty((0, len(table)))
    table = table / scale
    classes, counts = np.unique(labels[learn], return_counts=True)
    largest = classes[np.argsort(-counts, kind="stable")][:10]
    marks = (labels[learn][:, None] == (largest[1:] if len(classes) == 2 else largest)).astype(np.float64)
    weights, *_ = np.linalg.lstsq(table[learn] - table[learn].mean(axis=0), marks - marks.mean(axis=0), rcond=1e-12)
    return np.asarray((table @ weights).T)


def _ranks(
    number: Float64[np.ndarray, " samples"], learn: Int[np.ndarray, " learnt"]
) -> Float64[np.ndarray, " samples"]:
    """Places among the sorted values of the samples that are learnt from; -1 where it is not known."""
    known = np.unique(number[learn][np.isfinite(number[learn])])
    if not len(known):
        return np.full(len(number), -1.0)
    return np.asarray(np.where(np.isfinite(number), np.interp(number, known, np.arange(len(known))), -1.0))


def _estimate(guess: Int[np.ndarray, " asked"], truth: Int[np.ndarray, " asked"], level: float) -> Estimate:
    ends = []
    for label in np.unique(truth):
        mine = truth == label
        right, count = int((guess[mine] == label).sum()), int(mine.sum())
        ends.append((right / count, *clopper_pearson(right, count, level)))
    value, low, high = (float(one) for one in np.mean(ends, axis=0))
    return Estimate(
        name="leaking_pair_accuracy",
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        n=len(truth),
        counted="held-out samples",
        unit="fraction",
        better="lower",
    )
