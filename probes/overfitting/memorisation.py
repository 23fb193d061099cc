"""Memorisation per sample: how much better models do on it when they trained on it (Feldman & Zhang 2020)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int

from probes.evidence import Evidence
from probes.measures.memorisation import MEMORISED_AT, memorisation
from probes.message import Message
from probes.partial_result import Part
from probes.population import Population
from probes.result import Axis, Chart, Estimate, Finding, Table
from probes.statistics.proportions import proportion

BINS = 20
WORST = 25


def memorised(evidence: Evidence, splits: Population, level: float) -> Part:
    """The share of members that are answered correctly only because they were trained on, and which these are."""
    value = memorisation(splits.answers.correct(evidence.labels), splits.keep)
    # Validation samples are outside every mask, so no model trained on them.
    known = np.isfinite(value) & evidence.pool.member
    if not known.any():
        return Part()
    over = known & (value >= MEMORISED_AT)
    share = proportion("recipe.memorised_share", int(over.sum()), int(known.sum()), level=level, better="lower")
    findings: tuple[Finding, ...] = ()
    figures: tuple[Chart | Table, ...] = (memorisation_chart(value),)
    if over.any():
        worst = np.flatnonzero(over)[np.argsort(-value[over], kind="stable")]
        findings = (_finding(share, int(over.sum()), worst),)
        figures = (*figures, _worst_table(evidence, splits, value, worst[:WORST]))
    return Part(estimates=(share,), findings=findings, figures=figures, per_sample={"memorisation": value})


def _finding(share: Estimate, count: int, worst: Int[np.ndarray, " worst"]) -> Finding:
    return Finding(
        code="overfitting.memorised",
        severity="high" if share.low > 0.15 else "medium" if share.low > 0.05 else "low",
        because=(share.name,),
        samples=tuple(int(i) for i in worst[:100]),
        values={"count": count, "n": share.n, "share": share.value},
    )


def memorisation_chart(value: Float64[np.ndarray, " samples"]) -> Chart:
    finite = value[np.isfinite(value)]
    counts, edges = np.histogram(finite, bins=BINS, range=(-1, 1))
    first = int(np.flatnonzero(counts)[0]) if counts.any() else 0
    counts, edges = counts[first:], edges[first:]
    return Chart(
        name="memorisation",
        mark="bars",
        title=Message("overfitting.memorisation.title"),
        caption=Message("overfitting.memorisation.caption", {"samples": len(finite), "from": MEMORISED_AT}),
        columns={"from": edges[:-1].tolist(), "to": edges[1:].tolist(), "samples": counts.tolist()},
        x=Axis(column="from", title="memorisation"),
        y=Axis(column="samples", title="samples", scale="linear"),
        x_end="to",
    )


def _worst_table(
    evidence: Evidence, splits: Population, value: Float64[np.ndarray, " samples"], worst: Int[np.ndarray, " worst"]
) -> Table:
    correct, keep = splits.answers.on(worst).correct(evidence.labels[worst]), splits.keep[:, worst]
    right_in, right_out = (correct & keep).sum(axis=0), (correct & ~keep).sum(axis=0)
    n_in, n_out = keep.sum(axis=0), (~keep).sum(axis=0)
    return Table(
        name="memorised",
        title=Message("overfitting.memorised.title"),
        caption=Message("overfitting.memorised.caption"),
        columns={
            "sample": [int(i) for i in worst],
            "class": [evidence.classes[int(evidence.labels[i])] for i in worst],
            "memorisation": [round(float(value[i]), 3) for i in worst],
            "right when trained on": [_of(right, among) for right, among in zip(right_in, n_in, strict=True)],
            "right when not": [_of(right, among) for right, among in zip(right_out, n_out, strict=True)],
        },
    )


def _of(right: np.integer, among: np.integer) -> Message:
    return Message("overfitting.right-of", {"right": int(right), "of": int(among)})
