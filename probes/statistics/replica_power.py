"""The share of an attack's power at a given number of replicas: interpolated between measurements on real transfers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

REPLICAS = (4, 8, 16, 32)
AUC = {
    "digits": (0.629, 0.632, 0.632, 0.633),
    "Location-30": (0.991, 0.991, 0.992, 0.993),
    "Adult": (0.674, 0.680, 0.682, 0.683),
    "CIFAR-100": (0.934, 0.938, 0.941, 0.943),
}
"""AUC of the empirical-Bayes attack at each of REPLICAS (`python benchmarks/membership_power.py --data FOLDER`)."""
TPR = {
    "digits": (0.066, 0.068, 0.070, 0.072),
    "Location-30": (0.772, 0.778, 0.812, 0.816),
    "Adult": (0.078, 0.080, 0.088, 0.091),
    "CIFAR-100": (0.401, 0.446, 0.474, 0.483),
}
"""Its true-positive rate at a 1 % false-positive rate."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The smallest and the largest share of the power of 32 replicas over the measured transfers.

    auc  share of the AUC's excess over one half
    tpr  share of the true-positive rate at a 1 % false-positive rate
    """

    auc: tuple[float, float]
    tpr: tuple[float, float]


def power_share(replicas: int) -> Share | None:
    """The share of its power with 32 replicas that an attack has with fewer; linear in the logarithm of their number
    between measured numbers, and 1 from 32 on.

    replicas  the total number, counting both folds of a repeat

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
