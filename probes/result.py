"""A probe's results: estimates with intervals, findings, and figures as data (never pixels)."""

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
"""The scope of estimates for which every replica in turn is treated as the audited model."""
Scalar = str | int | float | bool | None
ColumnData = Sequence[str] | Sequence[float] | Sequence[int] | Sequence[float | None] | Sequence[Scalar | Message]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval, its n and its unit.

    name         `scope.metric`, unique in its result, with the scope `checkpoint` (this model) or `recipe` (every
                 replica in turn treated as the audited model), if the distinction applies: `checkpoint.auc`,
                 `recipe.accuracy_gap`
    value        in `unit`
    low, high    its interval; infinite on the unknown side of a one-sided bound
    level        two-sided coverage of [low, high], in (0, 1) (0.95)
    n            the number of what is `counted`
    unit         a fraction is read as percent, a difference of fractions (points) as percentage points
    better       which direction is better for the model: higher, lower or neither (the default)
    counts       (successes, trials) of a proportion: its interval is exact at any level
    dof          degrees of freedom: Student's t at other levels. With neither, the two sides are scaled as for a normal
                 distribution
    caveat       why the number cannot carry a verdict: a check on it is undecided
    title        its title in reports, if that depends on more than the name: titles by name are in the probe's texts
    counted      what n counts (samples)
    fixed_share  the share of the interval's variance that a larger n cannot remove, in [0, 1] (0): folds share their
                 training samples, so their mean never becomes certain
    bound        lower or upper: the number is one end of an interval, and nothing is known on its other side. A lower
                 bound can show that a maximum is exceeded, but never that it is met
    decided_by   what would decide a check if the value is above 0 and a larger n would not
    pairing      how it is computed, for paired tests between audits of the same samples
    aid          whether it only helps to interpret other estimates (a floor, a ceiling, a control); off by default
    tradeoff     how countermeasures are compared: by the `utility` that they cost, or a `risk` that they should lower
    quality      whether it says how useful the model is: reports state it at their head, with the minimum that the gate
                 requires of it; with `aid`, it is what such a number is compared with. Off by default
    grown_by     the parameter of its probe to which n is proportional, for advice on undecided checks
    scope        what it is about, if its name does not begin with that: `checkpoint` or `recipe`

    The gate needs intervals at other levels too, because it corrects for the number of its checks. Fields without a
    stated default are None by default.

    >>> Estimate(name="checkpoint.auc", value=0.6, low=0.55, high=0.65, n=400, unit="fraction").level
    0.95
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
    quality: bool = False
    grown_by: str | None = None
    scope: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"Expected 0 < level={self.level} < 1.")
        if not (self.low <= self.value <= self.high):
            raise ValueError(f"Expected low={self.low} <= value={self.value} <= high={self.high} in {self.name}.")
        if self.bound is not None and (self.low, self.high) != one_sided(self.value, self.bound):
            raise ValueError(f"Expected the {self.bound} bound {self.name} to be open on its other side.")

    def __str__(self) -> str:
        """On one line.

        >>> print(Estimate(name="checkpoint.auc", value=0.6, low=0.55, high=0.65, n=400, unit="AUC"))
        checkpoint.auc = 0.6 AUC [0.55, 0.65] (95 %, n = 400 samples)
        """
        interval = f"[{self.low:.3g}, {self.high:.3g}] ({100 * self.level:.4g} %, n = {self.n} {self.counted})"
        return f"{self.name} = {self.value:.3g} {self.unit} {interval}"

    @property
    def unmeasured(self) -> bool:
        """Whether nothing was measured: the interval is the whole range of possible values."""
        return self.n == 0 and self.low < self.high

    @property
    def about(self) -> str:
        """What it is about: its scope.

        >>> Estimate(name="recipe.auc", value=0.6, low=0.55, high=0.65, n=400, unit="fraction").about
        'recipe'
        """
        return self.scope or scope_of(self.name)


def scope_of(name: str) -> str:
    """The scope with which the name of an estimate begins: names are `scope.metric`.

    >>> scope_of("recipe.accuracy_gap")
    'recipe'
    """
    return name.partition(".")[0]


def one_sided(value: float, bound: Bound) -> tuple[float, float]:
    """An interval of which only one end is known.

    >>> one_sided(2.0, "lower")
    (2.0, inf)
    """
    return (value, math.inf) if bound == "lower" else (-math.inf, value)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A claim, the estimates behind it, and the samples that it is about.

    code      permanently identifies the kind of finding (`membership.leaks`): the probe's texts (probes/texts.py) have
              the claim, the method, the limits and the remedies under it, in every language
    severity  info, low, medium, high or critical
    because   names of the estimates on which it rests
    samples   indices of those that it is about
    values    fill the placeholders of the claim
    claim     for a probe without texts: plain English, shown as it is
    doubts    a scope whose estimates cannot carry a verdict because of it: `recipe`, if replicas do not behave like the
              model; empty, the default, for none

    >>> Finding(code="mine.found", severity="low", because=("checkpoint.auc",), claim="It leaks a little.").samples
    ()
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
    """Columns and how to read them.

    name       of the figure, unique in its result
    mark       line: y against x, with a band from `low` to `high` if given. interval: a point with its interval at each
               x (or y) category. points: a scatter. bars: a height at each x
    title      a message
    caption    a message
    columns    of equal length, by name
    x, y       which columns are the axes, and how they are scaled
    series     the column that separates lines or colours
    low, high  the columns of the interval's ends
    x_end      of bars with numeric x: the column of their right edges
    diagonal   whether y = x is drawn; off by default
    rules      horizontal lines, by what they are called

    >>> axes = {"x": Axis(column="epoch", title="epoch"), "y": Axis(column="loss", title="loss in nats")}
    >>> columns = {"epoch": (1, 2), "loss": (0.7, 0.5)}
    >>> Chart(name="loss", mark="line", title="Loss", caption="Lower is better.", columns=columns, **axes).x.scale
    'linear'
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
    """Rows for reading, at most a few hundred.

    name     of the figure, unique in its result
    title    a message
    caption  a message
    columns  the cells of each heading

    >>> columns = {"class": ("cat", "dog"), "accuracy": (0.9, 0.8)}
    >>> Table(name="classes", title="Classes", caption="On held-out samples.", columns=columns).columns["class"]
    ('cat', 'dog')
    """

    name: str
    title: Text
    caption: Text
    columns: Mapping[str, ColumnData]

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Expected columns of equal length in table {self.name}, got {lengths}.")


def by_column(headings: Sequence[str], rows: Sequence[Sequence[Scalar | Message]]) -> dict[str, list[Scalar | Message]]:
    """The columns of a chart or a table from its rows.

    headings  of the columns, in the order of each row's cells
    rows      of one cell for each heading

    Returns the cells of each heading; a heading without cells if there are no rows.

    >>> by_column(("class", "accuracy"), [("cat", 0.9), ("dog", 0.8)])
    {'class': ['cat', 'dog'], 'accuracy': [0.9, 0.8]}
    """
    return {heading: [row[i] for row in rows] for i, heading in enumerate(headings)}


@dataclass(frozen=True, kw_only=True, eq=False)
class GalleryRow:
    """One sample's images: uint8 is an image; int8 is a signed map, −127..127, where zero is neutral, in the size
    that the network takes."""

    sample: int
    title: Text
    pictures: tuple[UInt8[np.ndarray, "height width channels"] | Int8[np.ndarray, "map_height map_width"], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """Images in rows. Reports omit it if thumbnails are off.

    name      of the figure, unique in its result
    title     a message
    caption   a message
    headings  of the columns
    rows      a sample's images each

    >>> Gallery(name="worst", title="Worst", caption="None.", headings=("input", "attribution"), rows=()).headings
    ('input', 'attribution')
    """

    name: str
    title: Text
    caption: Text
    headings: tuple[Text, ...]
    rows: tuple[GalleryRow, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentence:
    """One sample's words, and for each heading what they weigh: −127..127, zero is nothing."""

    sample: int
    title: Text
    words: tuple[str, ...]
    weights: Int8[np.ndarray, "headings words"]

    def __post_init__(self) -> None:
        if self.weights.shape[-1] != len(self.words):
            raise ValueError(f"Expected {len(self.words)} weights a heading, got {self.weights.shape}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentences:
    """Texts of samples with their words coloured, once for each of `headings`. Reports leave it out where thumbnails
    are off."""

    name: str
    title: Text
    caption: Text
    headings: tuple[Text, ...]
    rows: tuple[Sentence, ...]


Figure = Chart | Table | Gallery | Sentences


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """All results of one probe.

    probe       its name
    params      its parameters
    estimates   of unique names
    findings    none by default
    figures     none by default
    per_sample  columns with one entry per sample of the evidence; none by default
    notes       what else a reader must know; none by default
    examined    how many replicas or samples its claims rest on, for the report's limits; none by default

    >>> half = Estimate(name="coin.heads", value=0.5, low=0.4, high=0.6, n=96, unit="fraction")
    >>> result = Result(probe="coin", params={"throws": 96}, estimates=(half,))
    >>> result
    <Result of coin: 1 estimates, 0 findings, 0 figures>
    >>> result["coin.heads"].value
    0.5
    >>> print(result)
    coin.heads = 0.5 fraction [0.4, 0.6] (95 %, n = 96 samples)
    """

    probe: str
    params: Mapping[str, Scalar | Sequence[Scalar]]
    estimates: tuple[Estimate, ...]
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    per_sample: Mapping[str, Shaped[np.ndarray, " samples"]] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    examined: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        names = [estimate.name for estimate in self.estimates]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"Expected unique estimate names in {self.probe}, got twice: {sorted(repeated)}.")

    def __repr__(self) -> str:
        counts = f"{len(self.estimates)} estimates, {len(self.findings)} findings, {len(self.figures)} figures"
        return f"<Result of {self.probe}: {counts}>"

    def __str__(self) -> str:
        """Its estimates, a line each."""
        return "\n".join(map(str, self.estimates))

    def __getitem__(self, name: str) -> Estimate:
        for estimate in self.estimates:
            if estimate.name == name:
                return estimate
        raise KeyError(f"{self.probe} has no estimate {name!r}")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A probe that raised an exception: the audit continues, and no gate passes with it.

    probe    its name
    error    the type of the exception
    message  its text

    >>> Failure(probe="coin", error="ValueError", message="no coin (coin.py:7)").error
    'ValueError'
    """

    probe: str
    error: str
    message: str
