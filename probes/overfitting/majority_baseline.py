"""Has the model learned anything, compared with always guessing the largest class?"""

from __future__ import annotations

import dataclasses

import numpy as np

from probes.evidence import Evidence
from probes.partial_result import Part
from probes.result import Finding
from probes.statistics.differences import newcombe_paired
from probes.statistics.proportions import proportion


def guessing(evidence: Evidence, level: float) -> Part:
    """The accuracy of guessing, and this checkpoint's gain over it; a finding if held-out samples do not show it to be
    better than always guessing its members' largest class.

    Both answer the same samples, so the difference is paired (Newcombe's score interval).
    """
    labels, held_out = evidence.labels, evidence.pool.held_out
    counts = np.bincount(labels[evidence.pool.member], minlength=len(evidence.classes))
    right = evidence.audited.correct(labels)[0][held_out]
    guessed = labels[held_out] == counts.argmax()
    cells = ((right & guessed).sum(), (right & ~guessed).sum(), (~right & guessed).sum(), (~right & ~guessed).sum())
    gain = dataclasses.replace(
        newcombe_paired("checkpoint.gain_over_guessing", *map(int, cells), level=level, better="higher"), quality=True
    )
    base = dataclasses.replace(
        proportion("guessing.held_out_accuracy", int(guessed.sum()), len(guessed), level=level), aid=True, quality=True
    )
    if gain.low > 0:
        return Part(estimates=(gain, base))
    accuracy, share = float(right.mean()), float(guessed.mean())
    return Part(
        estimates=(gain, base),
        findings=(
            Finding(
                code="overfitting.guessing",
                severity="medium",
                because=("checkpoint.gain_over_guessing", "checkpoint.held_out_accuracy"),
                values={"accuracy": accuracy, "samples": len(right), "majority": share},
            ),
        ),
    )
