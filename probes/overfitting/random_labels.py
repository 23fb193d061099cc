"""Capacity: can this recipe fit random labels (Zhang et al. 2017)?"""

from __future__ import annotations

import numpy as np

from probes.evidence import Evidence
from probes.partial_result import Part
from probes.result import Finding
from probes.statistics.proportions import proportion

CAN = 0.9
"""Training accuracy on shuffled labels from which a recipe is reported to be able to memorise anything."""


def capacity(evidence: Evidence, level: float) -> Part:
    """Training accuracy of the replicas on shuffled labels; empty if the plan had none.

    The interval is Clopper–Pearson's for the members of one replica, however many replicas there are: they share the
    members.
    """
    shuffled = evidence.population.design("shuffled")
    if not len(shuffled):
        return Part()
    targets = np.array([evidence.labels if row.targets is None else row.targets for row in shuffled.rows])
    right = (shuffled.answers.predicted == targets) & shuffled.keep
    members = int(shuffled.keep[0].sum())
    share = float(right.sum() / shuffled.keep.sum())
    estimate = proportion("recipe.shuffled_train_accuracy", round(share * members), members, level=level)
    counts = np.bincount(evidence.labels[evidence.pool.member], minlength=len(evidence.classes))
    majority = float(counts.max() / counts.sum())
    values = {"share": estimate.value, "majority": majority, "replicas": len(shuffled)}
    if estimate.low > CAN:
        return Part(
            estimates=(estimate,),
            findings=(
                Finding(
                    code="overfitting.capacity",
                    severity="low",
                    because=(estimate.name,),
                    values=values,
                ),
            ),
        )
    return Part(
        estimates=(estimate,),
        findings=(
            Finding(
                code="overfitting.capacity-bounded",
                severity="info",
                because=(estimate.name,),
                values=values,
            ),
        ),
    )
