"""What a probe says: estimates with intervals, findings, and figures as data (never pixels)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Int8, Shaped, UInt8

from probes.message import Message, Text, Value
from probes.pairing import Pairing

Better = Literal["lower", "higher", "neither"]
Bound = Literal["lower", "upper"]
Tradeoff = Literal["utility", "risk"]
Severity = Literal["info", "low", "medium", "high", "critical"]
RECIPE = "recipe"
"""The scope of what is said of every replica in turn as the audited model."""
Scalar = str | int | float | bool | None
ColumnData = Sequence[str] | Sequence[float] | Sequence[int] | Sequence[float | None] | Sequence[Scalar | Message]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval, its n and its unit.

    `name` is `scope.metric`, unique in its result, with the scope `checkpoint` (this model)
    or `recipe` (every replica in turn as the audited one) where the difference exists:
    `checkpoint.auc`, `recipe.accuracy_gap`.

    `level` is the two-sided coverage of [low, high]. The gate needs intervals at other levels too
    (it pays for the number of its checks): `counts` (successes, trials) makes them exact for
    proportions, `dof` makes them Student's t; with neither the two sides are scaled as a normal's.

    `unit`: a "fraction" is read as percent, a difference of fractions ("points") as percentage points.

    `bound` says that the number is one end of an interval: nothing is known on its other side, where `low` or `high`
    is infinite. A lower bound can show that a maximum is exceeded, never that it is kept.

    `caveat` is set when the number cannot carry a verdict ('not resolvable: needs 1000 non-members');
    a check on such an estimate is undecided. `title` is what reports call it, where that depends on more than the
    name: titles of names are in the probe's texts.

    `counted` says what n counts, `fixed_share` how much of the interval's variance more of them cannot take
    away: folds share their training samples, so their mean never becomes certain. `decided_by` is what would decide a
    check where the value is above 0 and more of what is counted would not.

    `pairing` says what it is made of, for paired tests between audits of the same samples. An `aid` helps to read other
    estimates (a floor, a ceiling, a control): no model is worse for it. `tradeoff` marks what countermeasures are
    weighed by: the `utility` they cost, or a `risk` they are to lower.
    """

    name: str
    value: float
    low: float
    high: float
    level: float = 0.95
    n: int
    unit: str
    better: Better = "neither"
    counts: tuple[int, int] | None = None
    dof: float | None = None
    caveat: Text | None = None
    title: Text | None = None
    counted: str = "samples"
    fixed_share: float = 0.0
    bound: Bound | None = None
    decided_by: Message | None = None
    pairing: Pairing | None = None
    aid: bool = False
    tradeoff: Tradeoff | None = None

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"Expected 0 < level={self.level} < 1.")
        if not (self.low <= self.value <= self.high):
            raise ValueError(f"Expected low={self.low} <= value={self.value} <= high={self.high} in {self.name}.")
        if self.bound is not None and (self.low, self.high) != one_sided(self.value, self.bound):
            raise ValueError(f"Expected the {self.bound} bound {self.name} to be open on its other side.")

    @property
    def unmeasured(self) -> bool:
        """Whether nothing was looked at: the interval is all that the number could have been."""
        return self.n == 0 and self.low < self.high

    @property
    def scope(self) -> str:
        """What it speaks of."""
        return scope(self.name)


def scope(name: str) -> str:
    """What an estimate of that name speaks of.

    >>> scope("recipe.accuracy_gap")
    'recipe'
    """
    return name.partition(".")[0]


def one_sided(value: float, bound: Bound) -> tuple[float, float]:
    """The interval of which only one end is known.

    >>> one_sided(2.0, "lower")
    (2.0, inf)
    """
    return (value, math.inf) if bound == "lower" else (-math.inf, value)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim, because of which estimates, about which samples.

    `code` names the kind of finding for good (`membership.leaks`): the probe's texts (probes/texts.py) have the claim,
    the method, the limits and the remedies under it, in every language, with placeholders for `values`.
    `claim` is for a probe without texts: plain English, shown as it is.
    `doubts` names a scope whose estimates can carry no verdict because of it: `recipe`, where replicas do not behave
    like the model.
    """

    code: str
    severity: Severity
    because: tuple[str, ...] = ()
    samples: tuple[int, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    claim: str = ""
    doubts: str = ""


@dataclass(frozen=True, kw_only=True)
class Axis:
    column: str
    title: Text
    scale: Literal["linear", "log", "category"] = "linear"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Columns of equal length and how to read them.

    line       y against x, a band from `low` to `high` where given
    interval   a point with its interval from `low` to `high` at each x (or y) category
    points     a scatter
    bars       a height at each x; with numeric x, `x_end` names the column of the bins' right edges
    `series` names the column that separates lines / colours. `diagonal` draws y = x, `rules` horizontal lines.
    """

    name: str
    mark: Literal["line", "interval", "points", "bars"]
    title: Text
    caption: Text
    columns: Mapping[str, ColumnData]
    x: Axis
    y: Axis
    series: str | None = None
    low: str | None = None
    high: str | None = None
    x_end: str | None = None
    diagonal: bool = False
    rules: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Expected columns of equal length in chart {self.name}, got {lengths}.")
        used = {self.x.column, self.y.column, self.series, self.low, self.high, self.x_end} - {None}
        if missing := used - set(lengths):
            raise ValueError(f"Expected columns {sorted(map(str, missing))} in chart {self.name}.")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows for reading, at most a few hundred; `columns` maps each heading to its cells."""

    name: str
    title: Text
    caption: Text
    columns: Mapping[str, ColumnData]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Expected columns of equal length in table {self.name}, got {lengths}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class GalleryRow:
    """One sample's pictures: uint8 is an image as it is; int8 is a signed map, −127..127, zero is nothing, of the size
    that the network takes."""

    sample: int
    title: Text
    pictures: tuple[UInt8[np.ndarray, "height width channels"] | Int8[np.ndarray, "map_height map_width"], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """Pictures in rows; `headings` names the columns. Reports leave it out where thumbnails are off."""

    name: str
    title: Text
    caption: Text
    headings: tuple[Text, ...]
    rows: tuple[GalleryRow, ...]


Figure = Chart | Table | Gallery


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """All that one probe says. `per_sample` columns have one entry a sample of the evidence."""

    probe: str
    params: Mapping[str, Scalar | Sequence[Scalar]]
    estimates: tuple[Estimate, ...]
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    per_sample: Mapping[str, Shaped[np.ndarray, " samples"]] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        names = [estimate.name for estimate in self.estimates]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Expected unique estimate names in {self.probe}, got twice: {sorted(repeated)}.")

    def __getitem__(self, name: str) -> Estimate:
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(f"{self.probe} has no estimate {name!r}")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A probe that crashed: the audit goes on, and no gate passes on it."""

    probe: str
    error: str
    message: str
