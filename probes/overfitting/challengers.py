"""Challengers in one table: what simpler models reach on the same samples, and the audited recipe's gain over each."""

from __future__ import annotations

from probes.evidence import Evidence
from probes.message import Message
from probes.overfitting.majority_baseline import guessing
from probes.overfitting.negative_transfer import RIVALS, SERIES, faced
from probes.partial_result import Part
from probes.result import Estimate, Scalar, Table, by_column

HEADS = ("challenger", "accuracy", "accuracy, interval", "gain over it", "gain, interval", "judged by")
NOT_RUN: tuple[Scalar, ...] = (None, "–", None, "–", "not run")


def challengers(evidence: Evidence, level: float) -> Part:
    """The majority class, a linear probe on the source's frozen features, and the same network from scratch."""
    gain, base = guessing(evidence, level).estimates
    rows = [("largest class", *_cells(base, gain), Message("overfitting.challengers.samples", {"count": base.n}))]
    rows += [(SERIES[kind], *_rival(evidence, kind, level)) for kind in RIVALS]
    table = Table(
        name="challengers",
        title=Message("overfitting.challengers.title"),
        caption=Message("overfitting.challengers.caption", {"level": level}),
        columns=by_column(HEADS, rows),
    )
    return Part(figures=(table,))


def _rival(evidence: Evidence, kind: str, level: float) -> tuple[Scalar | Message, ...]:
    """Its accuracy and the recipe's gain over it on the folds that both were trained for."""
    if (found := faced(evidence, kind)) is None:
        return NOT_RUN
    reached = found.corrected("accuracy", found.theirs, level, "fraction")
    gained = found.corrected("gain", found.ours - found.theirs, level, "points")
    return (*_cells(reached, gained), Message("overfitting.challengers.folds", {"count": len(found.ours)}))


def _cells(reached: Estimate, gained: Estimate) -> tuple[Scalar, ...]:
    return (
        round(reached.value, 3),
        f"{reached.low:.3f} – {reached.high:.3f}",
        round(gained.value, 3),
        f"{gained.low:+.3f} – {gained.high:+.3f}".replace("-", "−"),
    )
