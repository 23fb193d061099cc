"""Who is affected by leakage: the most exposed members, and what explains exposure."""

from __future__ import annotations

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.measures.confident_learning import out_of_fold, suspected
from probes.membership.exposure import Exposure, exposure
from probes.membership.strongest_attack import level_each
from probes.message import Message
from probes.partial_result import Part
from probes.population import Population
from probes.result import Estimate, Finding
from probes.statistics.multiplicity import false_discoveries
from probes.statistics.roc import auc

ERROR_SHARE = 5
"""The part of the error at which a finding about exposed members is more than 'info', because false alarms of the probe
add up."""
FEWEST = 5
"""The fewest samples on each side for a comparison."""


def exposed_finding(evidence: Evidence, exposed: Exposure, at: float, level: float) -> tuple[Finding, ...]:
    """The members whose exposure exceeds `at` nats, of which at most a share 1 − `level` are named by chance on average
    (Benjamini–Hochberg over all members), largest shrunken value first. It is 'info' unless some would be named at a
    fifth of the error too."""
    member = np.flatnonzero(evidence.pool.member)
    p_values = exposed.p_values(at)[member]
    surely = member[false_discoveries(p_values, 1 - level)]
    if not len(surely):
        return ()
    worst = surely[np.argsort(-exposed.shrunken[surely], kind="stable")]
    share = len(surely) / len(member)
    clear = false_discoveries(p_values, (1 - level) / ERROR_SHARE).any()
    finding = Finding(
        code="membership.exposed-samples",
        severity="info" if not clear else "medium" if share > 0.1 else "low",
        because=("recipe.auc",),
        samples=tuple(int(i) for i in worst[:100]),
        values={"count": len(surely), "share": share, "margin": Message("membership.nats", {"count": at})},
    )
    return (finding,)


def explanations(evidence: Evidence, population: Population, level: float, copied: Bool[np.ndarray, " pooled"]) -> Part:
    """Are rarity, doubtful labels or copies associated with exposure? `copied` says which pooled samples have copies.

    Exposure is measured on one half of the orders and its possible explanations on the other: out-replicas used for
    both would correlate them by noise alone. Empty if a half has fewer than two repeats with both sides of a sample."""
    first, second = halves(population)
    measured = exposure(first.answers.margin, first.keep, first.order).value
    own, rival, rival_probability = out_of_fold(evidence, second)
    usable = np.isfinite(measured) & np.isfinite(own)
    if usable.sum() < 4 * FEWEST:
        return Part()
    doubtful = suspected(evidence.labels, own, rival, rival_probability)
    with_copies = np.zeros(len(usable), dtype=bool)
    with_copies[evidence.pool.indices] = copied
    each = level_each(level, 3)
    found = [_rank_correlation("exposure.with_rarity", measured[usable], -own[usable], each)]
    for name, mask in (("exposure.of_doubtful_labels", doubtful), ("exposure.of_copies", with_copies)):
        if min((mask & usable).sum(), (~mask & usable).sum()) >= FEWEST:
            found.append(auc(measured[usable], mask[usable], name=name, level=each))
    return Part(estimates=tuple(found), findings=_explained(found))


def halves(population: Population) -> tuple[Population, Population]:
    """Every second order, so that the halves share no minibatch order."""
    odd = np.isin(population.order, np.unique(population.order)[1::2])
    one, other = (
        Population(
            rows=tuple(row for row, taken in zip(population.rows, mask, strict=True) if taken),
            answers=population.answers[mask],
        )
        for mask in (~odd, odd)
    )
    return one, other


def _rank_correlation(
    name: str, x: Float64[np.ndarray, " samples"], y: Float64[np.ndarray, " samples"], level: float
) -> Estimate:
    """Spearman's ρ with Fisher's interval and Bonett & Wright's (2000) variance, (1 + ρ²/2)/(n − 3)."""
    n = len(x)
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    rho = 0.0 if constant else float(scipy.stats.spearmanr(x, y).statistic)
    middle = np.arctanh(np.clip(rho, -0.999999, 0.999999))
    half = float(scipy.stats.norm.ppf(0.5 + level / 2)) * np.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = float(np.tanh(middle - half)), float(np.tanh(middle + half))
    return Estimate(
        name=name, value=rho, low=min(low, rho), high=max(high, rho), level=level, n=n, unit="rank correlation"
    )


def _explained(found: list[Estimate]) -> tuple[Finding, ...]:
    """One finding for each explanation whose interval excludes chance; else one that nothing explains it."""
    by_name = {one.name: one for one in found}
    findings = []
    rarity = by_name["exposure.with_rarity"]
    if rarity.low > 0:
        findings.append(_because("membership.rarity-exposes", rarity))
    doubtful = by_name.get("exposure.of_doubtful_labels")
    if doubtful is not None and doubtful.low > 0.5:
        findings.append(_because("membership.label-noise-exposes", doubtful))
    copies = by_name.get("exposure.of_copies")
    if copies is not None and copies.high < 0.5:
        findings.append(_because("membership.copies-hide", copies))
    if not findings:
        findings.append(_because("membership.exposure-unexplained", *found))
    return tuple(findings)


def _because(code: str, *estimates: Estimate) -> Finding:
    one = estimates[0]
    return Finding(
        code=code,
        severity="info",
        because=tuple(estimate.name for estimate in estimates),
        values={"value": one.value, "low": one.low, "high": one.high},
    )
