"""A release of several variants of one model: each attacked on its own, and all of them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from probes.evidence import Evidence
from probes.membership.attacks import ladder
from probes.membership.strongest_attack import Clusters, Scores, strongest_auc, strongest_tpr
from probes.membership.target import Target
from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Scalar, Severity, Table, by_column

FPR = 0.01
HEADS = ("release", "attack", "AUC", "low", "high", "members found at 1 % false alarms")


def variants_part(
    evidence: Evidence, target: Target, own: Scores, level: float, clusters: Clusters | None = None
) -> Part:
    """Empty if there are no variants. `target` is the audited model as it was attacked, `own` its scores,
    `clusters` the groups that the split keeps whole.

    All variants are evaluated on the same samples and attacked with the same replicas of the audited model's recipe.
    Joint attacks use the mean and the maximum of standardised scores, in addition to the single ones: the interval of
    the strongest is corrected for all of them, so adding a variant does not lower the result.
    """
    if not evidence.variants:
        return Part()
    pooled = evidence.pool.indices
    member = evidence.pool.member[pooled]
    each = {
        name: ladder(dataclasses.replace(target, answers=answers.on(pooled), gradient_norm=None, sequences=None))
        for name, answers in evidence.variants.items()
    }
    together = joint({"this model": own, **each})
    estimates: list[Estimate] = []
    rows = [_row("this model", own, member, level, clusters)[0]]
    for name, scores in each.items():
        row, found = _row(name, scores, member, level, clusters)
        rows.append(row)
        title = Message("membership.variant-auc", {"variant": name})
        estimates.append(dataclasses.replace(found, name=f"variant.{name}.auc", title=title, pairing=None))
    row, both = _row("all of them", together, member, level, clusters)
    rate, _ = strongest_tpr(together, member, FPR, level, "variants.joint_tpr_at_1pct_fpr")
    alone = strongest_auc(own, member, level, clusters)[1]
    estimates += [dataclasses.replace(both, name="variants.joint_auc", pairing=None), rate]
    table = Table(
        name="variants",
        title=Message("membership.variants.title"),
        caption=Message("membership.variants.caption", {"level": level, "count": len(each)}),
        columns=by_column(HEADS, (*rows, row)),
    )
    return Part(estimates=tuple(estimates), findings=(_finding(both, alone, len(each)),), figures=(table,))


def joint(models: Mapping[str, Scores]) -> Scores:
    """Every model's own scores and, for attacks that all models allow, the mean and the maximum of standardised scores.

    >>> one, other = {"loss": np.array([0.0, 2.0])}, {"loss": np.array([5.0, 3.0])}
    >>> joint({"a": one, "b": other})["loss\\nmean"].tolist()
    [0.0, 0.0]
    """
    found = {f"{attack}\n{name}": score for name, scores in models.items() for attack, score in scores.items()}
    first, *others = models.values()
    for attack in first:
        if all(attack in scores for scores in others):
            stacked = np.stack([_standardised(scores[attack]) for scores in models.values()])
            found |= {f"{attack}\nmean": stacked.mean(axis=0), f"{attack}\nlargest": stacked.max(axis=0)}
    return found


def _standardised(score: Float[np.ndarray, " samples"]) -> Float[np.ndarray, " samples"]:
    """Membership is not used: mean and standard deviation over all samples."""
    return np.asarray((score - score.mean()) / max(float(score.std()), 1e-12))


def _row(
    name: str, scores: Scores, member: Bool[np.ndarray, " samples"], level: float, clusters: Clusters | None
) -> tuple[tuple[Scalar | Message, ...], Estimate]:
    best, found = strongest_auc(scores, member, level, clusters)
    rate, _ = strongest_tpr(scores, member, FPR, level, "rate")
    named = f"{round(rate.value * int(member.sum()))} / {int(member.sum())}"
    attack, _, where = best.partition("\n")
    told = Message("membership.joint-attack", {"attack": attack, "where": where}) if where else attack
    return (name, told, round(found.value, 3), round(found.low, 3), round(found.high, 3), named), found


def _finding(both: Estimate, alone: Estimate, count: int) -> Finding:
    values: dict[str, Value] = {
        "count": count,
        "auc": both.value,
        "low": both.low,
        "high": both.high,
        "alone": alone.value,
    }
    severity: Severity = "info"
    if both.low > 0.5:
        severity = "high" if both.low > 0.6 else "medium" if both.low > 0.52 else "low"
    code = "membership.variants-quiet" if severity == "info" else "membership.variants-leak"
    return Finding(code=code, severity=severity, because=("variants.joint_auc",), values=values)
