"""How much of an attack's power a number of replicas gives: measured on real transfers, read off between."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

REPLICAS = (4, 8, 16, 32)
AUC = {
    "digits": (0.629, 0.632, 0.632, 0.633),
    "Location-30": (0.991, 0.991, 0.992, 0.993),
    "Adult": (0.674, 0.680, 0.682, 0.683),
}
"""Of the empirical-Bayes attack at so many REPLICAS (`python benchmarks/membership_power.py --data FOLDER`)."""
TPR = {
    "digits": (0.066, 0.068, 0.070, 0.072),
    "Location-30": (0.772, 0.778, 0.812, 0.816),
    "Adult": (0.078, 0.080, 0.088, 0.091),
}
"""Members found at 1 % false alarms, likewise."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of what 32 replicas give, the least and the most over the measured transfers.

    auc  of the AUC's excess over one half
    tpr  of the members found at 1 % false alarms
    """

    auc: tuple[float, float]
    tpr: tuple[float, float]


def power_share(replicas: int) -> Share | None:
    """What an attack with so many replicas has of its power with 32; linear in the logarithm of their number between
    the measured ones, and all from 32 on.

    replicas  how many there are in all, both folds of a repeat counted

    Returns the shares; None below 4 replicas, where the attack was not measured.

    >>> share = power_share(4)
    >>> [round(end, 2) for end in share.auc]
    [0.95, 1.0]
    """
    if replicas < REPLICAS[0]:
        return None
    at, known = math.log2(replicas), np.log2(REPLICAS)
    aucs = [float(np.interp(at, known, (np.array(curve) - 0.5) / (curve[-1] - 0.5))) for curve in AUC.values()]
    rates = [float(np.interp(at, known, np.array(curve) / curve[-1])) for curve in TPR.values()]
    return Share(auc=(min(aucs), max(aucs)), tpr=(min(rates), max(rates)))
