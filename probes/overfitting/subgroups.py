"""The gap by class and by group: an average hides which of them the model fails on."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Int

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Axis, Chart, Estimate, Finding
from probes.statistics.differences import newcombe_difference

FEWEST = 5
"""Classes and groups with fewer samples on a side are omitted."""
MOST = 40


def breakdown(evidence: Evidence, level: float) -> Part:
    """Newcombe's interval for this checkpoint's gap in every class and, if samples have groups, in every group."""
    parts = [_by("class", evidence.labels, evidence.classes, evidence, level)]
    if evidence.pool.groups is not None and evidence.group_names:
        parts.append(_by("group", evidence.pool.groups, evidence.group_names, evidence, level))
    return Part(
        findings=tuple(finding for part in parts for finding in part.findings),
        figures=tuple(figure for part in parts for figure in part.figures),
    )


def _by(kind: str, of: Int[np.ndarray, " samples"], names: tuple[str, ...], evidence: Evidence, level: float) -> Part:
    correct = evidence.audited.correct(evidence.labels)[0]
    member, held_out = evidence.pool.member, evidence.pool.held_out
    numbers = [
        number
        for number in range(len(names))
        if min((member & (of == number)).sum(), (held_out & (of == number)).sum()) >= FEWEST
    ]
    if len(numbers) < 2:
        return Part()
    found: list[tuple[str, Estimate, Estimate]] = []
    for number in numbers:
        here = of == number
        sides = [(int(correct[side].sum()), int(side.sum())) for side in (member & here, held_out & here)]
        name = f"{kind}.{names[number]}.accuracy_gap"
        title = Message("overfitting.gap-of.title", {"kind": kind, "name": names[number]})
        one = newcombe_difference(name, sides[0], sides[1], level=level, better="lower")
        one = dataclasses.replace(one, title=title)
        # Bonferroni, because all of them are examined.
        paid = newcombe_difference(name, sides[0], sides[1], level=1 - (1 - level) / len(numbers), better="lower")
        found.append((names[number], one, paid))
    whole = float(correct[member].mean() - correct[held_out].mean())
    found.sort(key=lambda row: -row[1].value)
    return Part(findings=_uneven(kind, found, whole), figures=(_chart(kind, found, whole, level),))


def _uneven(kind: str, found: list[tuple[str, Estimate, Estimate]], whole: float) -> tuple[Finding, ...]:
    beyond = [(name, one) for name, one, paid in found if paid.low > max(whole, 0.0)]
    if not beyond:
        return ()
    listed = tuple(Message("overfitting.gap-of", {"name": name, "gap": one.value}) for name, one in beyond[:5])
    return (
        Finding(
            code="overfitting.uneven-group" if kind == "group" else "overfitting.uneven-class",
            severity="medium" if kind == "group" else "low",
            because=("checkpoint.accuracy_gap",),
            values={"count": len(beyond), "of": len(found), "worst": listed, "whole": whole},
        ),
    )


def _chart(kind: str, found: list[tuple[str, Estimate, Estimate]], whole: float, level: float) -> Chart:
    shown = found[:MOST]
    return Chart(
        name=f"gap-by-{kind}",
        mark="interval",
        title=Message("overfitting.gap-by.title", {"kind": kind}),
        caption=_caption(len(found), level),
        columns={
            kind: [name for name, _, _ in shown],
            "gap": [one.value for _, one, _ in shown],
            "low": [one.low for _, one, _ in shown],
            "high": [one.high for _, one, _ in shown],
        },
        x=Axis(column=kind, title=kind, scale="category"),
        y=Axis(column="gap", title="accuracy gap"),
        low="low",
        high="high",
        rules={"all samples": whole},
    )


def _caption(found: int, level: float) -> Message:
    if found > MOST:
        return Message("overfitting.gap-by-largest.caption", {"level": level, "shown": MOST, "of": found})
    return Message("overfitting.gap-by.caption", {"level": level})
