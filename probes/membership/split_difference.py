"""Do members and held-out samples differ without any model? If so, an attack may detect that difference instead of
membership."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.evidence import Evidence
from probes.measures.blind_baseline import BlindBaseline, blind_baseline
from probes.measures.model_free_features import Described, model_free_features
from probes.membership.strongest_attack import Scores, level_each, strongest
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding, Severity, Table
from probes.statistics.roc import auc
from probes.statistics.stratified_auc import stratified_auc

ERROR_SHARE = 5
"""The part of the error allotted to the baseline and to attacks below one half, each, because false alarms of the probe
add up."""
STRATA = 10
LISTED = 12
NAMED = 3
CAVEAT = Message("membership.split-differs-caveat")
OURS, BY_PERSON = ("checkpoint", "attack", "variant", "variants"), "person.auc"
"""Scopes of estimates that compare this model's members with its held-out samples, and of one that compares the
same."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitDifference:
    """`part` is the result; if the two sides differ, `instead` replaces the finding about leakage, and estimates of
    this checkpoint carry a caveat."""

    part: Part
    instead: Finding | None

    def undecided(self, estimates: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
        if self.instead is None:
            return estimates
        return tuple(
            dataclasses.replace(one, caveat=one.caveat or CAVEAT) if one.about in OURS or one.name == BY_PERSON else one
            for one in estimates
        )


def split_difference(evidence: Evidence, scores: Scores, rng: np.random.Generator, level: float) -> SplitDifference:
    """The blind baseline on members against held-out samples; how they differ, and what attacks find among similar
    samples, if its AUC is significantly above one half, or an attack's significantly below."""
    pooled = evidence.pool.indices
    member, groups = evidence.pool.member[pooled], evidence.pool.groups
    described = model_free_features(evidence, pooled)
    strict = 1 - (1 - level) / ERROR_SHARE
    blind = blind_baseline(
        described.values, member, rng, groups=None if groups is None else groups[pooled], level=2 * strict - 1
    )
    below = _below(scores, member, strict)
    if blind is None:
        note = Message("membership.no-blind-baseline")
        instead = None if below is None else _finding(None, below, None, ())
        return SplitDifference(part=Part(notes=(note,)), instead=instead)
    shown = dataclasses.replace(blind.auc, better="neither")
    if blind.auc.low <= 0.5 and below is None:
        return SplitDifference(part=Part(estimates=(shown,)), instead=None)
    properties = differing(described, member, level)
    matched = matched_auc(scores, member, blind, level)
    estimates = (shown,) if matched is None else (shown, matched)
    part = Part(estimates=estimates, figures=(_table(properties),) if properties else ())
    return SplitDifference(part=part, instead=_finding(blind.auc, below, matched, tuple(properties)))


def _below(scores: Scores, member: Bool[np.ndarray, " samples"], strict: float) -> Estimate | None:
    """The attack significantly below one half, if no other is significantly above."""
    each = level_each(strict, 2 * len(scores))
    found = [auc(score, member, name=f"attack.{name}.auc", level=each) for name, score in scores.items()]
    lowest = min(found, key=lambda one: one.high)
    return lowest if lowest.high < 0.5 and max(one.value for one in found) < 0.5 + (0.5 - lowest.value) else None


def matched_auc(
    scores: Scores, member: Bool[np.ndarray, " samples"], blind: BlindBaseline, level: float
) -> Estimate | None:
    """The strongest attack among samples that the blind baseline finds similar: pairs within tenths of its score
    (Rosenbaum & Rubin 1984), corrected for all attacks.

    scores  of each sample, by attack
    member  which samples are members
    blind   the baseline's score of each sample
    level   two-sided coverage of the interval, in (0, 1)

    Returns the estimate, a fraction; None if no tenth contains both members and non-members.
    """
    usable = np.isfinite(blind.propensity)
    ranks = np.argsort(np.argsort(blind.propensity[usable], kind="stable"), kind="stable")
    stratum = ranks * STRATA // max(1, int(usable.sum()))
    inside = member[usable]
    both = [one for one in np.unique(stratum) if 0 < inside[stratum == one].sum() < (stratum == one).sum()]
    if not both:
        return None
    each = level_each(level, len(scores))
    found = {
        name: stratified_auc(score[usable], inside, stratum, name="split.matched_auc", level=each)
        for name, score in scores.items()
    }
    _, estimate = strongest(found, level)
    return dataclasses.replace(estimate, better="neither")


def differing(described: Described, member: Bool[np.ndarray, " samples"], level: float) -> Mapping[str, Estimate]:
    """AUC of each property on its own: those whose interval excludes one half (Bonferroni), the most significant first.

    described  properties of the samples
    member     which samples are members
    level      two-sided coverage of the interval, in (0, 1)

    Returns an estimate for each of them, by name.
    """
    each = level_each(level, len(described.names))
    found = {
        name: auc(column, member, name=name, level=each)
        for name, column in zip(described.names, described.values.T, strict=True)
    }
    surely = {name: one for name, one in found.items() if one.low > 0.5 or one.high < 0.5}
    return dict(sorted(surely.items(), key=lambda item: -abs(item[1].value - 0.5))[:LISTED])


def _finding(
    blind: Estimate | None, below: Estimate | None, matched: Estimate | None, properties: tuple[str, ...]
) -> Finding:
    if blind is not None and blind.low > 0.5:
        one, code = blind, "membership.split-differs"
    else:
        assert below is not None
        one, code = below, "membership.attack-below-half"
    severity: Severity = "high" if matched is not None and matched.low > 0.6 else "medium"
    because = tuple(estimate.name for estimate in (one, matched) if estimate is not None)
    return Finding(
        code=code,
        severity=severity,
        because=because,
        values={
            "auc": one.value,
            "low": one.low,
            "high": one.high,
            "properties": Message("membership.differ-most", {"properties": named})
            if (named := properties[:NAMED])
            else None,
            "matched": None
            if matched is None
            else Message("membership.matched", {"auc": matched.value, "low": matched.low, "high": matched.high}),
        },
    )


def _table(properties: Mapping[str, Estimate]) -> Table:
    return Table(
        name="split-differences",
        title=Message("membership.split-differences.title"),
        caption=Message("membership.split-differences.caption"),
        columns={
            "property": list(properties),
            "AUC": [round(one.value, 3) for one in properties.values()],
            "low": [round(one.low, 3) for one in properties.values()],
            "high": [round(one.high, 3) for one in properties.values()],
        },
    )
