"""How an estimate is computed, so that two audits of the same samples can be compared in pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Statistic = Literal["share", "mean", "squared error", "auc", "fold mean"]


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """How an estimate is computed from per-sample columns, or from the folds of a chart.

    statistic  share          the mean of a column of 0 and 1
               mean           the mean of a column
               squared error  the mean squared difference of two columns
               auc            how often a score is higher in `part` than in `less`
               fold mean      the mean, over folds, of the values of a chart of this result: a fold, named
                              repeat.fold, on its x axis, the value on its y axis, the side in its `series`
    columns    with their names in samples.csv, PROBE.COLUMN; for a fold mean, the name of the chart
    part       the samples: member, held_out or validation; for a fold mean, the side
    less       the part whose statistic is subtracted or, for an AUC, compared with; "" for none

    >>> Pairing(statistic="share", columns=("overfitting.correct",), part="member", less="held_out").less
    'held_out'
    """

    statistic: Statistic
    columns: tuple[str, ...]
    part: str
    less: str = ""
