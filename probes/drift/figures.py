"""Figures of the drift probe, as data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int, Shaped

from probes.drift.drift_index import NARROW, Placed, drift_index
from probes.drift.observables.faithfulness import SHARES
from probes.evidence import Evidence
from probes.message import Message
from probes.result import Axis, Chart, Estimate, Scalar, Table, by_column
from probes.statistics.student_t import t_critical


def similarity_chart(placed: Mapping[str, Placed], whom: str, level: float) -> Chart:
    """Each similarity measure: to the reference, between floor and ceiling."""
    return _between(placed, "similarity", "measure", Message("drift.similarity.title"), whom, level)


def method_chart(placed: Mapping[str, Placed], whom: str, level: float) -> Chart:
    """Each method's signed cosine: to the reference, between floor and ceiling."""
    title = Message("drift.methods.title")
    return _between(placed, "methods", "method", title, whom, level)


def _half(values: Float[np.ndarray, "samples ..."], level: float) -> Float64[np.ndarray, "..."]:
    """Half-width of the mean's interval by Student's t; NaN for a single sample."""
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.nan)
    spread = values.std(axis=0, ddof=1)
    return np.asarray(t_critical(level, n - 1) * spread / np.sqrt(n))


def _between(placed: Mapping[str, Placed], name: str, what: str, title: Message, whom: str, level: float) -> Chart:
    rows = []
    for key, one in placed.items():
        for compared, values in (
            ("another seed", one.floor),
            ("reference", one.reference),
            ("random weights", one.ceiling),
        ):
            mean, half = float(values.mean()), float(_half(values, level))
            rows.append((key, compared, mean, mean - half, mean + half))
    names = (what, "compared with", "similarity", "low", "high")
    return Chart(
        name=name,
        mark="interval",
        title=title,
        caption=Message("drift.between.caption", {"whom": whom, "level": level}),
        columns=by_column(names, rows),
        x=Axis(column=what, title=what, scale="category"),
        y=Axis(column="similarity", title="similarity"),
        series="compared with",
        low="low",
        high="high",
    )


def measure_table(placed: Mapping[str, Placed], rng: np.random.Generator, level: float) -> Table:
    """Each measure's position between floor and ceiling, with the index."""
    columns: dict[str, list[Scalar]] = {
        name: [] for name in ("measure", "reference", "another seed", "random weights", "index", "low", "high")
    }
    for measure, one in placed.items():
        index = drift_index(measure, one, rng, level)
        columns["measure"].append(measure)
        for name, values in (
            ("reference", one.reference),
            ("another seed", one.floor),
            ("random weights", one.ceiling),
        ):
            columns[name].append(float(values.mean()))
        for name, value in (("index", index.value), ("low", index.low), ("high", index.high)):
            columns[name].append(value if index.caveat is None else None)
    return Table(
        name="measures",
        title=Message("drift.measures.title"),
        caption=Message("drift.measures.caption"),
        columns=columns,
    )


def class_table(
    evidence: Evidence,
    samples: Int[np.ndarray, " chosen"],
    placed: Placed,
    whom: str,
    rng: np.random.Generator,
    level: float,
) -> Table:
    labels = evidence.labels[samples]
    columns: dict[str, list[Scalar]] = {
        name: [] for name in ("class", "samples", "similarity", "low", "high", "another seed", "index")
    }
    for label in np.unique(labels):
        mine = labels == label
        if mine.sum() < 2:
            continue
        one = Placed(reference=placed.reference[mine], floor=placed.floor[mine], ceiling=placed.ceiling[mine])
        alike, half = float(one.reference.mean()), float(_half(one.reference, level))
        low, high = max(alike - half, -1.0), min(alike + half, 1.0)
        index = drift_index("index", one, rng, level).value if one.room >= NARROW else None
        cells = (alike, low, high, float(one.floor.mean()), index)
        columns["class"].append(evidence.classes[int(label)])
        columns["samples"].append(int(mine.sum()))
        for name, value in zip(list(columns)[2:], cells, strict=True):
            columns[name].append(value)
    return Table(
        name="classes",
        title=Message("drift.classes.title"),
        caption=Message("drift.classes.caption", {"whom": whom, "level": level}),
        columns=columns,
    )


def curve_chart(
    own: Mapping[str, Shaped[np.ndarray, "..."]],
    kind: str,
    method: str,
    level: float,
    whom: str | None = None,
    theirs: Mapping[str, Shaped[np.ndarray, "..."]] | None = None,
) -> Chart:
    """Deletion or insertion, by a method's attribution and in random order; and for the source or reference by its
    own."""
    curves_of = f"{method}/{kind}"
    orders = {"by attribution": own[curves_of], "at random": own[f"{kind}_at_random"]}
    if whom is not None and theirs is not None:
        orders[f"{whom} model, by its attribution"] = theirs[curves_of]
    rows = []
    for order, curves in orders.items():
        half = _half(curves, level)
        for i, share in enumerate(SHARES):
            mean = float(curves[:, i].mean())
            rows.append((share, mean, mean - float(half[i]), mean + float(half[i]), order))
    names = ("share", "probability", "low", "high", "order")
    deleted = kind == "deletion"
    return Chart(
        name=kind,
        mark="line",
        title=Message("drift.deletion.title") if deleted else Message("drift.insertion.title"),
        caption=Message(
            "drift.deletion.caption" if deleted else "drift.insertion.caption",
            {"method": method, "samples": len(own[curves_of]), "level": level},
        ),
        columns=by_column(names, rows),
        x=Axis(column="share", title=f"share of positions {'deleted' if deleted else 'kept'}"),
        y=Axis(column="probability", title="share of the probability"),
        series="order",
        low="low",
        high="high",
    )


def sanity_chart(lines: Mapping[str, Sequence[Estimate]], depths: Sequence[float], level: float) -> Chart:
    """Cascading randomisation: the remaining similarity, by method."""
    rows = [
        (method, depth, one.value, one.low, one.high)
        for method, line in lines.items()
        for depth, one in zip(depths, line, strict=True)
    ]
    names = ("method", "share of layers", "similarity", "low", "high")
    return Chart(
        name="sanity",
        mark="line",
        title=Message("drift.sanity.title"),
        caption=Message("drift.sanity.caption", {"level": level}),
        columns=by_column(names, rows),
        x=Axis(column="share of layers", title="share of layers randomised below the head"),
        y=Axis(column="similarity", title="similarity"),
        series="method",
        low="low",
        high="high",
    )


def cka_chart(layers: Sequence[str], lines: Mapping[str, Sequence[Estimate]], whom: str | None, level: float) -> Chart:
    """By layer: with the reference, and with the mean seed."""
    seeds = [line for name, line in lines.items() if name != whom]
    rows: list[tuple[str, str, float, float, float]] = []
    for place, layer in enumerate(layers):
        if whom is not None and whom in lines:
            one = lines[whom][place]
            rows.append((layer, "reference", one.value, one.low, one.high))
        if seeds:
            values = [line[place].value for line in seeds]
            rows.append((layer, "another seed", float(np.mean(values)), min(values), max(values)))
    names = ("layer", "compared with", "CKA", "low", "high")
    return Chart(
        name="cka",
        mark="interval",
        title=Message("drift.cka.title"),
        caption=Message("drift.cka.caption", {"level": level}),
        columns=by_column(names, rows),
        x=Axis(column="layer", title="layer", scale="category"),
        y=Axis(column="CKA", title="CKA"),
        series="compared with",
        low="low",
        high="high",
    )
