"""A forecast of what attackers with their own shadow models would find, from attacks without shadow models.

Training on vulnerable samples removes them from the tail of high losses, so the share of non-members with a higher loss
than nearly all members predicts how much LiRA finds (Dodd et al. 2025, arXiv 2510.19773: the true-negative rate of the
loss attack). Here that rate and the attack's AUC predict LiRA's AUC and its true-positive rate at 1 % false alarms, by
a linear relation between logits, fitted on populations of small classifiers, heads on pretrained networks and
fine-tuned ones (`benchmarks/forecast.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding
from probes.statistics.roc import auc, tpr_at_fpr
from probes.statistics.student_t import t_critical

TAIL = 0.05
"""The share of members in the tail of high losses."""
SATURATED = 0.75
"""The plain attack's AUC above which the relation is no longer linear, and nothing bounds the forecast from above."""
DATA_SETS, POPULATIONS = 64, 205
"""Those to which the lines were fitted; the ends of the interval are from data sets left out in turn."""
HELD_BACK = 19
"""Data sets that were held back, pretrained models among them."""
HELD, HELD_RATE = 0.99, 0.982
"""The shares of intervals of the AUC and the rate that held on these (docs/membership.md)."""


@dataclass(frozen=True, kw_only=True)
class Coefficients:
    """logit of the forecast = constant + auc · logit AUC + tail · logit TNR, on a scale that grows with logit AUC. The
    95 % interval reaches `below` and `above` scales: a quantile over data sets that were left out of the fit in turn,
    each with the same weight and an unseen one as infinite (Lee, Barber & Willett 2023, arXiv 2306.06342)."""

    constant: float
    auc: float
    tail: float
    spread: float
    growth: float
    below: float
    above: float


AUC = Coefficients(constant=0.8273, auc=0.8953, tail=0.1992, spread=0.2247, growth=0.3478, below=2.2701, above=2.9868)
TPR = Coefficients(constant=-2.0767, auc=0.6846, tail=0.4524, spread=0.4589, growth=0.2177, below=2.3007, above=2.4593)


def scale_of(line: Coefficients, plain: Float[np.ndarray, " models"]) -> Float[np.ndarray, " models"]:
    """The scale of a forecast's error, in logits.

    plain  logit of the loss attack's AUC

    >>> scale_of(AUC, np.array([-1.0, 0.0, 1.0])).round(2).tolist()
    [0.22, 0.22, 0.32]
    """
    return np.asarray(line.spread * np.exp(line.growth * np.maximum(plain, 0.0)))


def forecast(
    log_prob: Float[np.ndarray, " samples"], member: Bool[np.ndarray, " samples"], level: float = 0.95
) -> tuple[Estimate, Estimate]:
    """LiRA's AUC and its true-positive rate at a 1 % false-positive rate, with prediction intervals for a model of a
    data set that was not used in the fit. At other levels than 95 % their ends are scaled as Student's t.

    log_prob  of the label, in nats
    member    which samples are members
    level     two-sided coverage of the intervals, in (0, 1)

    Raises EvidenceError without members or without others.

    >>> members = np.linspace(-1, 0, 50)
    >>> found, _ = forecast(np.concatenate([members, 3 * members]), np.arange(100) < 50)
    >>> found.low < found.value < found.high, round(found.value, 2)
    (True, 0.92)
    """
    plain = auc(log_prob, member).value
    tail = tpr_at_fpr(-log_prob, ~member, TAIL).value
    n = len(member)
    reach = t_critical(level, DATA_SETS - 1) / t_critical(0.95, DATA_SETS - 1)
    found = []
    for name, unit, line in (("forecast.auc", "AUC", AUC), ("forecast.tpr_at_1pct_fpr", "fraction", TPR)):
        centre = line.constant + line.auc * _logit(plain, n) + line.tail * _logit(tail, n)
        scale = reach * float(scale_of(line, np.array([_logit(plain, n)]))[0])
        value, low, high = (_share(centre + scale * end) for end in (0.0, -line.below, line.above))
        high = 1.0 if plain > SATURATED else high
        found.append(
            Estimate(
                name=name,
                value=value,
                low=low,
                high=high,
                level=level,
                n=n,
                unit=unit,
                better="lower",
                dof=float(DATA_SETS - 1),
                caveat=Message("membership.forecast-is-no-measurement"),
                fixed_share=1.0,
            )
        )
    return found[0], found[1]


def forecast_part(evidence: Evidence, level: float) -> Part:
    """Empty for language models, which it was not fitted on."""
    if evidence.modality == "language":
        return Part()
    pooled = evidence.pool.indices
    log_prob = np.asarray(evidence.audited.log_prob[0, pooled], dtype=np.float64)
    estimates = forecast(log_prob, evidence.pool.member[pooled], level)
    whole, precise = estimates
    values = {
        **{name: getattr(whole, name) for name in ("value", "low", "high")},
        "tpr": precise.value,
        "tpr_low": precise.low,
        "tpr_high": precise.high,
        "data_sets": DATA_SETS,
        "populations": POPULATIONS,
        "held": HELD,
        "held_rate": HELD_RATE,
        "held_back": HELD_BACK,
        "saturated": SATURATED,
    }
    finding = Finding(
        code="membership.forecast",
        severity="info",
        because=tuple(one.name for one in estimates),
        values=values,
    )
    return Part(estimates=estimates, findings=(finding,))


def _logit(share: float, n: int) -> float:
    """The logit of a share, kept as far from 0 and 1 as n samples can resolve."""
    inside = min(max(share, 0.5 / n), 1 - 0.5 / n)
    return math.log(inside / (1 - inside))


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
