"""Canaries: how well the model remembers random texts that were each put into its training with probability one
half."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Float64

from probes.errors import EvidenceError
from probes.evidence import Canaries
from probes.membership.strongest_attack import level_each
from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Severity, Table
from probes.statistics.paired import paired_mean
from probes.statistics.roc import auc

UNSEEN = math.log2(math.e)
"""Mean exposure, in bits, of texts not in the training: −log2 of a uniform rank is exponentially distributed."""
FEWEST = 2
"""The fewest included canaries, and fewest others, for which results are given."""


def exposure(
    score: Float[np.ndarray, " canaries"], references: Float[np.ndarray, " references"]
) -> Float64[np.ndarray, " canaries"]:
    """By how many bits each canary stands out among texts drawn from the same distribution: log2 of their number minus
    log2 of its rank among them and itself (Carlini et al. 2019, definition 2). Ties count against the canary.

    score       of each canary, higher = more likely in the training
    references  scores of texts not in the training, at least one; n of them bound exposure by log2(n + 1)

    Raises EvidenceError without a reference.

    >>> exposure(np.array([9.0, 0.5]), np.array([0.0, 1.0, 2.0])).tolist()
    [2.0, 0.4150374992788439]
    """
    if not len(references):
        raise EvidenceError("exposure needs at least one reference.")
    ordered = np.sort(references)
    above = len(ordered) - np.searchsorted(ordered, score, side="left")
    return np.asarray(np.log2(len(ordered) + 1) - np.log2(1 + above), dtype=np.float64)


def canaries_part(canaries: Canaries | None, level: float) -> Part:
    """For each number of copies: how well included canaries are distinguished from others, and their mean exposure.
    Intervals are corrected for the number of copy counts."""
    if canaries is None or canaries.references is None:
        return Part()
    usable = [
        copies
        for copies in canaries.groups
        if FEWEST <= int(canaries.of(copies).included.sum()) <= len(canaries.of(copies).score) - FEWEST
    ]
    if not usable:
        return Part(notes=(Message("membership.canaries-few"),))
    each = level_each(level, len(usable))
    told: dict[int, tuple[Estimate, Estimate]] = {}
    for copies in usable:
        mine = canaries.of(copies)
        # Canaries left out of the training are texts of the same kind, so they serve as references too.
        others = np.concatenate([canaries.references, canaries.score[~canaries.included]])
        bits = exposure(mine.score[mine.included], others)
        score = np.concatenate([mine.score, canaries.references])
        included = np.concatenate([mine.included, np.zeros(len(canaries.references), dtype=bool)])
        titles = {"copies": copies}
        told[copies] = (
            dataclasses.replace(
                auc(score, included, level=each),
                name=f"canary.auc_at_{copies}_copies",
                level=level,
                title=Message("membership.canary-auc", titles),
                better="lower",
            ),
            dataclasses.replace(
                paired_mean(f"exposure_bits.at_{copies}_copies", bits, level=each, unit="bits", better="lower"),
                level=level,
                title=Message("membership.canary-exposure", titles),
                counted="canaries",
            ),
        )
    return Part(
        estimates=tuple(one for pair in told.values() for one in pair),
        findings=(_finding(told, canaries),),
        figures=(_table(told),),
    )


def _finding(told: dict[int, tuple[Estimate, Estimate]], canaries: Canaries) -> Finding:
    """The smallest number of copies that is remembered; if none is, the largest that is not."""
    remembered = [copies for copies, (told_apart, _) in told.items() if told_apart.low > 0.5]
    copies = min(remembered) if remembered else max(told)
    told_apart, bits = told[copies]
    values: dict[str, Value] = {
        "copies": copies,
        "n": len(canaries.score),
        "auc": told_apart.value,
        "low": told_apart.low,
        "high": told_apart.high,
        "bits": bits.value,
        "bits_low": bits.low,
        "bits_high": bits.high,
        "unseen": UNSEEN,
    }
    because = (told_apart.name, bits.name)
    if not remembered:
        return Finding(code="membership.canaries-quiet", severity="info", because=because, values=values)
    severity: Severity = "high" if copies == 1 else "medium"
    return Finding(code="membership.canaries-remembered", severity=severity, because=because, values=values)


def _table(told: dict[int, tuple[Estimate, Estimate]]) -> Table:
    return Table(
        name="canaries",
        title=Message("membership.canaries.title"),
        caption=Message("membership.canaries.caption", {"unseen": UNSEEN}),
        columns={
            "copies in the training": list(told),
            "included": [bits.n for _, bits in told.values()],
            "AUC": [round(told_apart.value, 3) for told_apart, _ in told.values()],
            "mean exposure (bits)": [round(bits.value, 2) for _, bits in told.values()],
        },
    )
