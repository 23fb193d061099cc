"""Figures of the leakage probe, as data only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.evidence import Evidence
from probes.membership.exposure import Exposure
from probes.membership.strongest_attack import Scores
from probes.message import Message
from probes.result import Axis, Chart, ColumnData, Estimate, Gallery, GalleryRow, Scalar, Table
from probes.statistics.proportions import clopper_pearson
from probes.statistics.roc import auc, roc_curve

POINTS = 80
MOST_EXPOSED = 25
BINS = 24
SCATTERED = 400
THUMBNAIL = 64
"""Maximum side length in pixels."""
SHOWN_MARGINS, CLOUD = 6, 32
"""Number of members in the chart of margins, and of replicas for each."""
IN, OUT = "trained on it", "did not"
RECIPE_RATES = {"this recipe, one threshold": "", "this recipe, a threshold per sample": "_by_sample"}
"""Rows of the table of rates below this model's, and how their estimates' names end."""


def roc_chart(scores: Scores, member: Bool[np.ndarray, " samples"], best: str) -> Chart:
    """ROC of the strongest attack (with a pointwise Clopper–Pearson band on TPR) and of the plain loss attack."""
    columns: dict[str, list[float] | list[str]] = {name: [] for name in ("fpr", "tpr", "low", "high", "attack")}
    members, others = int(member.sum()), int((~member).sum())
    for attack in dict.fromkeys((best, "loss")):
        false, true = roc_curve(scores[attack], member)
        for index in _spread(false):
            low, high = clopper_pearson(int(true[index]), members)
            row = (max(false[index] / others, 0.5 / others), max(true[index] / members, 0.5 / members), low, high)
            for name, value in zip(("fpr", "tpr", "low", "high"), row, strict=True):
                columns[name].append(float(value))  # type: ignore[arg-type]
            columns["attack"].append(attack)  # type: ignore[arg-type]
    return Chart(
        name="roc",
        mark="line",
        title=Message("membership.roc.title"),
        caption=Message("membership.roc.caption", {"members": members, "others": others, "points": POINTS}),
        columns=columns,
        x=Axis(column="fpr", title="false-positive rate", scale="log"),
        y=Axis(column="tpr", title="true-positive rate", scale="log"),
        series="attack",
        low="low",
        high="high",
        diagonal=True,
    )


def rates_table(
    score: Float64[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    fprs: Sequence[float],
    recipe: Mapping[str, Estimate],
) -> Table:
    """One row per false-positive rate for this model: counts of the strongest attack at its threshold. Below it, one
    for the recipe with one threshold for all samples and one with a threshold for each, where there are replicas."""
    members, others = int(member.sum()), int((~member).sum())
    descending = np.sort(score[~member])[::-1]
    rows: list[tuple[Scalar | Message, ...]] = []
    for fpr in fprs:
        threshold = descending[min(math.floor(fpr * others + 1e-9), others - 1)]
        alarms, hits = int((descending > threshold).sum()), int((score[member] > threshold).sum())
        low, high = clopper_pearson(hits, members)
        counts = (_count(alarms, others), _count(hits, members))
        rows.append(
            (f"{100 * fpr:g} %", "this model", *counts, round(hits / members, 4), round(low, 4), round(high, 4))
        )
        for whose, suffix in RECIPE_RATES.items():
            if (rate := recipe.get(f"recipe.tpr_at_{100 * fpr:g}pct_fpr{suffix}")) is not None:
                ends = (round(end, 4) for end in (rate.value, rate.low, rate.high))
                rows.append((f"{100 * fpr:g} %", whose, None, None, *ends))
    heads = ("false-positive rate", "whose", "false alarms", "members found", "share found", "low", "high")
    return Table(
        name="rates",
        title=Message("membership.rates.title"),
        caption=Message("membership.rates.caption"),
        columns={head: [row[place] for row in rows] for place, head in enumerate(heads)},
    )


def _count(count: int, of: int) -> Message:
    return Message("membership.count-of", {"count": count, "of": of})


def _spread(false: Int[np.ndarray, " thresholds"]) -> Int[np.ndarray, " points"]:
    """The last point of each false-positive count, thinned evenly on the logarithmic scale."""
    last = np.flatnonzero(np.diff(false, append=false[-1] + 1))
    if len(last) <= POINTS:
        return last
    wanted = np.unique(np.geomspace(1, len(last), POINTS).astype(np.int64)) - 1
    return last[wanted]


def attack_chart(found: Mapping[str, Estimate]) -> Chart:
    """Every attack's AUC with its own 95 % interval."""
    names = sorted(found, key=lambda name: found[name].value)
    return Chart(
        name="attacks",
        mark="interval",
        title=Message("membership.attacks.title"),
        caption=Message("membership.attacks.caption"),
        columns={
            "attack": names,
            "auc": [found[name].value for name in names],
            "low": [found[name].low for name in names],
            "high": [found[name].high for name in names],
        },
        x=Axis(column="attack", title="attack", scale="category"),
        y=Axis(column="auc", title="AUC"),
        low="low",
        high="high",
        rules={"guessing": 0.5},
    )


def exposure_chart(exposed: Float64[np.ndarray, " samples"]) -> Chart:
    finite = exposed[np.isfinite(exposed)]
    counts, edges = np.histogram(finite, bins=BINS)
    return Chart(
        name="exposure",
        mark="bars",
        title=Message("membership.exposure.title"),
        caption=Message("membership.exposure.caption", {"samples": len(finite), "bins": BINS}),
        columns={"from": edges[:-1].tolist(), "to": edges[1:].tolist(), "samples": counts.tolist()},
        x=Axis(column="from", title="exposure (nats)"),
        y=Axis(column="samples", title="samples"),
        x_end="to",
    )


def exposed_table(
    exposed: Exposure,
    labels: Int[np.ndarray, " samples"],
    classes: tuple[str, ...],
    member: Bool[np.ndarray, " samples"],
) -> Table:
    """The members that are recognised most clearly."""
    value = np.where(member & np.isfinite(exposed.shrunken), exposed.shrunken, -np.inf)
    top = [int(i) for i in np.argsort(-value, kind="stable")[:MOST_EXPOSED] if np.isfinite(value[i])]
    return Table(
        name="exposed",
        title=Message("membership.exposed.title"),
        caption=Message("membership.exposed.caption"),
        columns={
            "sample": top,
            # Sequences have a single class, which carries no information.
            **({"class": [classes[int(labels[i])] for i in top]} if np.ptp(labels) else {}),
            "exposure": [round(float(exposed.shrunken[i]), 3) for i in top],
            "as measured": [round(float(exposed.value[i]), 3) for i in top],
            "low": [round(float(exposed.low[i]), 3) for i in top],
            "high": [round(float(exposed.high[i]), 3) for i in top],
        },
    )


def exposed_gallery(evidence: Evidence, exposed: Exposure, top: Sequence[int]) -> Gallery | None:
    """The most exposed members as images; None if samples are not 8-bit images."""
    inputs = evidence.inputs
    if evidence.modality != "image" or inputs.ndim != 4 or inputs.dtype != np.uint8 or not top:
        return None
    step = -(-max(inputs.shape[1:3]) // THUMBNAIL)
    rows = [
        GalleryRow(
            sample=i,
            title=Message(
                "membership.exposed-pictures.row",
                {
                    "sample": i,
                    "class": evidence.classes[int(evidence.labels[i])],
                    "exposure": float(exposed.shrunken[i]),
                },
            ),
            pictures=(inputs[i][::step, ::step],),
        )
        for i in top
    ]
    return Gallery(
        name="exposed-pictures",
        title=Message("membership.exposed-pictures.title"),
        caption=Message("membership.exposed-pictures.caption", {"count": len(rows)}),
        headings=("sample",),
        rows=tuple(rows),
    )


def auc_chart(
    score: Float64[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    strata: Iterable[tuple[str, Bool[np.ndarray, " samples"]]],
    kind: str,
) -> Chart:
    """The strongest attack's AUC inside each class, or each group."""
    rows = []
    for name, mine in strata:
        if member[mine].any() and (~member[mine]).any():
            estimate = auc(score[mine], member[mine])
            rows.append((name, estimate.value, estimate.low, estimate.high))
    names, values, lows, highs = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Chart(
        name="classes" if kind == "class" else "groups",
        mark="interval",
        title=Message("membership.leakage-by.title", {"kind": kind}),
        caption=Message("membership.leakage-by.caption", {"kind": kind}),
        columns={kind: list(names), "auc": list(values), "low": list(lows), "high": list(highs)},
        x=Axis(column=kind, title=kind, scale="category"),
        y=Axis(column="auc", title="AUC"),
        low="low",
        high="high",
        rules={"guessing": 0.5},
    )


def exposure_by_chart(columns: Mapping[str, ColumnData], kind: str) -> Chart:
    """Mean exposure of the members of each class, or group."""
    return Chart(
        name=f"exposure-by-{kind}",
        mark="interval",
        title=Message("membership.exposure-by.title", {"kind": kind}),
        caption=Message("membership.exposure-by.caption", {"kind": kind}),
        columns=columns,
        x=Axis(column=kind, title=kind, scale="category"),
        y=Axis(column="exposure", title="exposure (nats)"),
        low="low",
        high="high",
        rules={"no effect": 0.0},
    )


def margins_chart(
    chosen: Sequence[int],
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    own: Float[np.ndarray, " samples"],
) -> Chart:
    """Margins of the most exposed members, one point per replica."""
    shown = np.unique(np.linspace(0, len(phi) - 1, min(len(phi), CLOUD)).astype(np.int64))
    rows: list[tuple[str, float, str]] = []
    for sample in chosen:
        rows += [(str(sample), float(phi[r, sample]), IN if keep[r, sample] else OUT) for r in shown]
        rows.append((str(sample), float(own[sample]), "this model"))
    names, margins, sides = zip(*rows, strict=True) if rows else ((), (), ())
    return Chart(
        name="margins",
        mark="points",
        title=Message("membership.margins.title"),
        caption=Message("membership.margins.caption", {"count": len(chosen)}),
        columns={"sample": list(names), "margin": list(margins), "replica": list(sides)},
        x=Axis(column="sample", title="sample", scale="category"),
        y=Axis(column="margin", title="margin φ (nats)"),
        series="replica",
    )


def memorisation_chart(
    exposed: Float64[np.ndarray, " samples"],
    memorised: Float64[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
) -> Chart:
    """Feldman–Zhang memorisation against exposure; with many samples, every k-th by exposure."""
    usable = np.flatnonzero(np.isfinite(exposed) & np.isfinite(memorised))
    ranked = usable[np.argsort(-exposed[usable], kind="stable")]
    shown = ranked[np.unique(np.linspace(0, len(ranked) - 1, min(len(ranked), SCATTERED)).astype(np.int64))]
    return Chart(
        name="memorisation",
        mark="points",
        title=Message("membership.memorisation.title"),
        caption=Message("membership.memorisation.caption", {"shown": len(shown), "samples": len(usable)}),
        columns={
            "exposure": exposed[shown].tolist(),
            "memorisation": memorised[shown].tolist(),
            "split": ["member" if member[i] else "held out" for i in shown],
        },
        x=Axis(column="exposure", title="exposure (nats)"),
        y=Axis(column="memorisation", title="memorisation"),
        series="split",
    )
