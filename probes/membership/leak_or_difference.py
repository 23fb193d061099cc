"""Without replicas: does an attack find more than the split's own difference could explain?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.measures.blind_baseline import FEWEST, BlindBaseline
from probes.membership.strongest_attack import Clusters, Scores, attack_auc, strongest_auc, strongest_tpr, surest
from probes.message import Message, Value
from probes.result import Estimate, Finding
from probes.statistics.distributions import normal_quantile
from probes.statistics.roc import tpr_at_fpr
from probes.statistics.threshold import tpr_at_true_fpr

UNCLEAR = "membership.leaks-or-differs"


def leak_or_difference(
    scores: Scores,
    member: Bool[np.ndarray, " samples"],
    clusters: Clusters | None,
    blind: BlindBaseline | None,
    fprs: Sequence[float],
    level: float,
) -> Finding | None:
    """Where an attack finds something, but neither by its AUC nor at one of the rates more than the baseline could
    explain: the one-sided interval of the difference, from their own ones (Zou & Donner 2008), reaches 0. They are
    taken as independent, and with `clusters`, rates are no evidence."""
    best, overall = strongest_auc(scores, member, level, clusters)
    by_rate = None if clusters is not None else _by_rate(scores, member, blind, fprs, level)
    if by_rate is not None and not by_rate.explained:
        return None
    if overall.low <= 0.5:
        return None if by_rate is None else by_rate.finding
    why = _no_baseline()
    if blind is not None:
        attack = attack_auc(scores[best], member, best, 2 * level - 1, clusters)
        upper = blind.auc.value + (blind.auc.high - blind.auc.value) * _shrunk(blind.auc, level)
        excess = attack.value - blind.auc.value
        error = math.hypot(attack.value - attack.low, upper - blind.auc.value)
        if excess > error:
            return None
        why = Message(
            "membership.unclear-with-baseline",
            {"blind": blind.auc.value, "upper": upper, "more": _more(excess, error, member)},
        )
    values: dict[str, Value] = {"auc": overall.value, "low": overall.low, "high": overall.high, "attack": best}
    return Finding(
        code=UNCLEAR,
        severity="medium" if overall.low > 0.6 else "low",
        because=(overall.name,) if blind is None else (overall.name, blind.auc.name),
        values={"told": Message("membership.told-by-auc", values | {"tried": len(scores)}), "why": why},
    )


@dataclass(frozen=True, kw_only=True)
class _ByRate:
    """Of members that an attack finds at a false-positive rate: whether the baseline could explain that there are more
    than chance allows, and what is said if so."""

    explained: bool
    finding: Finding


def _by_rate(
    scores: Scores,
    member: Bool[np.ndarray, " samples"],
    blind: BlindBaseline | None,
    fprs: Sequence[float],
    level: float,
) -> _ByRate | None:
    """None if attacks find no more members than chance allows; of the rates at which they do, the first that exceeds
    the baseline's, or the surest."""
    names = [f"checkpoint.tpr_at_{100 * fpr:g}pct_fpr" for fpr in fprs]
    rates = [strongest_tpr(scores, member, fpr, level, name) for fpr, name in zip(fprs, names, strict=True)]
    if surest([p_value for _, p_value in rates], level) is None:
        return None
    found = [
        _of_rate(scores, member, blind, fpr, rate, level)
        for fpr, (rate, p_value) in sorted(zip(fprs, rates, strict=True), key=lambda one: one[1][1])
        if surest([p_value] * len(fprs), level) is not None
    ]
    return next((one for one in found if not one.explained), found[0])


def _of_rate(
    scores: Scores,
    member: Bool[np.ndarray, " samples"],
    blind: BlindBaseline | None,
    fpr: float,
    found: Estimate,
    level: float,
) -> _ByRate:
    why, explained = _no_baseline(), True
    best = max(scores, key=lambda name: tpr_at_fpr(scores[name], member, fpr).value)
    if blind is not None:
        known, one_sided = np.isfinite(blind.propensity), 2 * level - 1
        attack = tpr_at_true_fpr(scores[best], member, fpr, level=one_sided)
        baseline = tpr_at_true_fpr(blind.propensity[known], member[known], fpr, level=one_sided)
        error = math.hypot(attack.value - attack.low, baseline.high - baseline.value)
        explained = attack.value - baseline.value <= error
        why = Message("membership.unclear-rate", {"blind": baseline.value, "upper": baseline.high})
    values: dict[str, Value] = {"found": found.value, "fpr": fpr, "attack": best, "tried": len(scores)}
    finding = Finding(
        code=UNCLEAR,
        severity="low",
        because=(found.name,) if blind is None else (found.name, blind.auc.name),
        values={"told": Message("membership.told-by-rate", values), "why": why},
    )
    return _ByRate(explained=explained, finding=finding)


def _no_baseline() -> Message:
    return Message("membership.unclear-without-baseline", {"needed": FEWEST})


def _shrunk(found: Estimate, level: float) -> float:
    """The width of a one-sided interval at this level, relative to that of the two-sided one."""
    return normal_quantile(level) / normal_quantile(0.5 + found.level / 2)


def _more(excess: float, error: float, member: Bool[np.ndarray, " samples"]) -> Message | None:
    """How many samples on a side would tell, if both AUCs stay; None if the baseline explains all."""
    if excess <= 0:
        return None
    side = min(int(member.sum()), int((~member).sum()))
    return Message("membership.unclear-more", {"needed": math.ceil(side * (error / excess) ** 2)})
