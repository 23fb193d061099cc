"""Variants of the audited model compared with it: how much accuracy each gained or lost, and how often they agree."""

from __future__ import annotations

import dataclasses

from probes.evidence import Evidence
from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Scalar, Table, by_column
from probes.statistics.differences import newcombe_paired
from probes.statistics.proportions import proportion

HEADS = ("variant", "accuracy", "accuracy, interval", "change", "change, interval", "same answer")


def variants(evidence: Evidence, level: float) -> Part:
    """On held-out samples, paired by sample; intervals are corrected for the number of variants. Empty without
    variants."""
    if not evidence.variants:
        return Part()
    held_out, labels = evidence.pool.held_out, evidence.labels
    each = 1 - (1 - level) / len(evidence.variants)
    own = evidence.audited.correct(labels)[0][held_out]
    told = evidence.audited.predicted[0][held_out]
    changes: list[Estimate] = []
    findings: list[Finding] = []
    rows: list[tuple[Scalar, ...]] = []
    for name, answers in evidence.variants.items():
        right = answers.correct(labels)[0][held_out]
        cells = ((right & own).sum(), (right & ~own).sum(), (~right & own).sum(), (~right & ~own).sum())
        change = newcombe_paired(
            f"variant.{name}.accuracy_change", *(int(cell) for cell in cells), level=each, better="higher"
        )
        change = dataclasses.replace(change, title=Message("overfitting.variant-change", {"variant": name}))
        changes.append(change)
        share = proportion("accuracy", int(right.sum()), len(right), level=each)
        same = float((answers.predicted[0][held_out] == told).mean())
        ends = (f"{share.low:.3f} – {share.high:.3f}", f"{change.low:+.3f} – {change.high:+.3f}".replace("-", "−"))
        rows.append((name, round(share.value, 3), ends[0], round(change.value, 3), ends[1], round(same, 3)))
        if change.high < 0:
            values: dict[str, Value] = {"variant": name, "change": change.value, "low": change.low, "high": change.high}
            findings.append(
                Finding(code="overfitting.variant-worse", severity="low", because=(change.name,), values=values)
            )
    table = Table(
        name="variants",
        title=Message("overfitting.variants.title"),
        caption=Message("overfitting.variants.caption", {"level": each, "samples": int(held_out.sum())}),
        columns=by_column(HEADS, rows),
    )
    return Part(estimates=(*changes, _worst(changes, level)), findings=tuple(findings), figures=(table,))


def _worst(changes: list[Estimate], level: float) -> Estimate:
    """The largest loss, from the smallest lower to the smallest upper end: it covers the largest true loss."""
    worst = min(changes, key=lambda one: one.value)
    low, high = min(one.low for one in changes), min(one.high for one in changes)
    return dataclasses.replace(
        worst, name="variants.worst_accuracy_change", low=low, high=high, level=level, counts=None, title=None
    )
