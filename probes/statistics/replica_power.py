"""The share of an attack's power at a given number of replicas: interpolated between measurements on real transfers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

REPLICAS = (4, 8, 16, 32)
AUC = {
    "digits": (0.633, 0.638, 0.640, 0.641),
    "Location-30": (0.994, 0.994, 0.995, 0.995),
    "Adult": (0.703, 0.708, 0.710, 0.711),
    "CIFAR-100": (0.946, 0.951, 0.954, 0.956),
}
"""AUC of the empirical-Bayes attack with neighbours at each of REPLICAS (`python benchmarks/membership_power.py --data
FOLDER`)."""
TPR = {
    "digits": (0.070, 0.073, 0.076, 0.076),
    "Location-30": (0.839, 0.853, 0.869, 0.875),
    "Adult": (0.091, 0.099, 0.105, 0.108),
    "CIFAR-100": (0.467, 0.506, 0.526, 0.546),
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
    [0.94, 1.0]
    """
    if replicas < REPLICAS[0]:
        return None
    at, known = math.log2(replicas), np.log2(REPLICAS)
    aucs = [float(np.interp(at, known, (np.array(curve) - 0.5) / (curve[-1] - 0.5))) for curve in AUC.values()]
    rates = [float(np.interp(at, known, np.array(curve) / curve[-1])) for curve in TPR.values()]
    return Share(auc=(min(aucs), max(aucs)), tpr=(min(rates), max(rates)))
