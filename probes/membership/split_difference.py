"""Do members and held-out samples differ whether or not a model trained on them? If so, an attack may detect that
difference instead of membership."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.measures.blind_baseline import FEWEST, BlindBaseline, blind_baseline
from probes.measures.model_free_features import OF_CLASS, Described, model_free_features
from probes.membership.leak_or_difference import UNCLEAR, leak_or_difference
from probes.membership.replica_baseline import ReplicaBaseline, replica_baseline
from probes.membership.strongest_attack import (
    Clusters,
    Scores,
    attack_auc,
    level_each,
    strongest,
    strongest_auc,
)
from probes.message import Message, Value
from probes.partial_result import Part
from probes.result import Estimate, Finding, Severity, Table
from probes.statistics.roc import auc
from probes.statistics.stratified_auc import stratified_auc

ERROR_SHARE = 5
"""The part of the error allotted to the baselines, half each where there are two, and to attacks below one half,
because false alarms of the probe add up."""
STRADDLING = 0.1
"""Share of the groups of several samples that may lie on both sides of a split that keeps groups whole."""
STRATA = 10
LISTED = 12
NAMED = 3
FEW_GROUPS = "membership.few-groups"
CAVEAT, BY_GROUP = Message("membership.split-differs-caveat"), Message("membership.by-group-caveat")
UNCLEAR_CAVEAT = Message("membership.leaks-or-differs-caveat")
INDEPENDENT = (
    "checkpoint.tpr",
    "checkpoint.precision",
    "checkpoint.advantage",
    "checkpoint.worst",
    "variants.joint_tpr",
    "epsilon.lower_bound",
)
"""Beginnings of the names of estimates whose intervals take samples as independent."""
OURS, BY_PERSON = ("checkpoint", "attack", "variant", "variants"), "person.auc"
"""Scopes of estimates that compare this model's members with its held-out samples, and of one that compares the
same."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SplitDifference:
    """`part` is the result; if the two sides differ, `instead` replaces the finding about leakage, and estimates of
    this checkpoint carry a caveat."""

    part: Part
    instead: Finding | None
    clusters: Clusters | None

    @property
    def doubt(self) -> Message | None:
        """Why members and held-out samples, one by one, are no evidence of how private the training was."""
        if self.instead is None or self.instead.code == FEW_GROUPS:
            return None if self.clusters is None else BY_GROUP
        return UNCLEAR_CAVEAT if self.instead.code == UNCLEAR else CAVEAT

    def undecided(self, estimates: tuple[Estimate, ...]) -> tuple[Estimate, ...]:
        if self.clusters is not None:
            estimates = tuple(
                dataclasses.replace(one, caveat=one.caveat or BY_GROUP) if one.name.startswith(INDEPENDENT) else one
                for one in estimates
            )
        if self.instead is None:
            return estimates
        return tuple(
            dataclasses.replace(one, caveat=one.caveat or self.doubt)
            if one.about in OURS or one.name == BY_PERSON
            else one
            for one in estimates
        )


def whole_groups(evidence: Evidence) -> Clusters | None:
    """The groups of the pooled samples if the split keeps them whole; None if it divides samples. A difference between
    groups is then one between members and held-out samples that training did not make."""
    pooled = evidence.pool.indices
    if evidence.pool.groups is None:
        return None
    groups, member = evidence.pool.groups[pooled], evidence.pool.member[pooled]
    _, place, size = np.unique(groups, return_inverse=True, return_counts=True)
    inside = np.bincount(place.reshape(-1), weights=member)
    several = size > 1
    divided = several & (inside > 0) & (inside < size)
    return groups if several.any() and divided.sum() <= STRADDLING * several.sum() else None


def split_difference(
    evidence: Evidence,
    scores: Scores,
    rng: np.random.Generator,
    fprs: Sequence[float],
    level: float,
    saw: Bool[np.ndarray, "replicas samples"] | None = None,
) -> SplitDifference:
    """Two baselines on members against held-out samples, one that sees no model and one of replicas; how the sides
    differ, and what attacks find among similar samples, if the AUC of either is significantly different from one half,
    or an attack's significantly below. Without replicas, also whether the strongest attack finds more, by its AUC or at
    one of the `fprs`, than the first baseline could explain. `saw` is that of `replica_baseline`."""
    pooled = evidence.pool.indices
    member, clusters = evidence.pool.member[pooled], whole_groups(evidence)
    described = model_free_features(evidence, pooled)
    strict = 1 - (1 - level) / ERROR_SHARE
    half = level_each(strict, 2)
    replicas = replica_baseline(evidence, evidence.population.design("splits"), half, clusters, saw)
    one_sided = 2 * (strict if replicas is None else half) - 1
    blind = blind_baseline(described.values, member, rng, groups=clusters, level=one_sided)
    below = _below(scores, member, strict, clusters)
    estimates = [] if blind is None else [dataclasses.replace(blind.auc, better="neither")]
    estimates += [] if replicas is None else [replicas.auc]
    notes: tuple[Message, ...] = ()
    if blind is None:
        notes = (Message("membership.no-blind-baseline"),)
    elif all(name.startswith(OF_CLASS) for name in described.names):
        notes = (Message("membership.blind-by-class"),)
    blindly, by_replicas = blind is not None and blind.auc.low > 0.5, replicas is not None and replicas.differs
    if not blindly and not by_replicas and below is None:
        instead = _few_groups(scores, member, clusters, level) if blind is None else None
        if instead is None and replicas is None:
            instead = leak_or_difference(scores, member, clusters, blind, fprs, level)
        return SplitDifference(part=Part(estimates=tuple(estimates), notes=notes), instead=instead, clusters=clusters)
    properties = {} if blind is None else differing(described, member, level)
    alike = _alike(blind if blindly or not by_replicas else None, replicas)
    matched = None if alike is None else matched_auc(scores, member, alike, level, clusters)
    instead = _finding(
        blind.auc if blind is not None and blindly else None,
        replicas.auc if replicas is not None and by_replicas else None,
        below,
        matched,
        tuple(properties),
    )
    part = Part(
        estimates=(*estimates, *(() if matched is None else (matched,))),
        figures=(_table(properties),) if properties else (),
        notes=notes,
    )
    return SplitDifference(part=part, instead=instead, clusters=clusters)


def _alike(blind: BlindBaseline | None, replicas: ReplicaBaseline | None) -> Float64[np.ndarray, " samples"] | None:
    """By which samples are matched: the baseline that shows the difference, that without a model first."""
    if blind is not None:
        return blind.propensity
    return None if replicas is None else replicas.score


def _few_groups(
    scores: Scores, member: Bool[np.ndarray, " samples"], clusters: Clusters | None, level: float
) -> Finding | None:
    """Where whole groups are on one side, but too few for the baseline, an attack may find how these groups differ."""
    if clusters is None:
        return None
    _, overall = strongest_auc(scores, member, level, clusters)
    if overall.low <= 0.5:
        return None
    inside, outside = (len(np.unique(clusters[side])) for side in (member, ~member))
    values: dict[str, Value] = {"auc": overall.value, "low": overall.low, "high": overall.high}
    return Finding(
        code=FEW_GROUPS,
        severity="medium",
        because=(overall.name,),
        values=values | {"inside": inside, "outside": outside, "needed": FEWEST},
    )


def _below(
    scores: Scores, member: Bool[np.ndarray, " samples"], strict: float, clusters: Clusters | None
) -> Estimate | None:
    """The attack significantly below one half, if no other is significantly above."""
    each = level_each(strict, 2 * len(scores))
    found = [attack_auc(score, member, f"attack.{name}.auc", each, clusters) for name, score in scores.items()]
    lowest = min(found, key=lambda one: one.high)
    return lowest if lowest.high < 0.5 and max(one.value for one in found) < 0.5 + (0.5 - lowest.value) else None


def matched_auc(
    scores: Scores,
    member: Bool[np.ndarray, " samples"],
    alike: Float64[np.ndarray, " samples"],
    level: float,
    clusters: Clusters | None = None,
) -> Estimate | None:
    """The strongest attack among samples that a baseline finds similar: pairs within tenths of its score (Rosenbaum &
    Rubin 1984), corrected for all attacks.

    scores    of each sample, by attack
    member    which samples are members
    alike     the baseline's score of each sample; NaN if it was left out
    level     two-sided coverage of the interval, in (0, 1)
    clusters  a number for each sample where whole groups are members or not; None, the default, for none

    Returns the estimate, a fraction; None if no tenth contains both members and non-members.
    """
    usable = np.isfinite(alike)
    ranks = np.argsort(np.argsort(alike[usable], kind="stable"), kind="stable")
    stratum = ranks * STRATA // max(1, int(usable.sum()))
    inside = member[usable]
    both = [one for one in np.unique(stratum) if 0 < inside[stratum == one].sum() < (stratum == one).sum()]
    if not both:
        return None
    each, own = level_each(level, len(scores)), None if clusters is None else clusters[usable]
    found = {
        name: stratified_auc(score[usable], inside, stratum, cluster=own, name="split.matched_auc", level=each)
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
    blind: Estimate | None,
    replicas: Estimate | None,
    below: Estimate | None,
    matched: Estimate | None,
    properties: tuple[str, ...],
) -> Finding:
    """Of the baselines, those that show a difference."""
    baselines = (("membership.told-by-blind", blind), ("membership.told-by-replicas", replicas))
    shown = [(by, one) for by, one in baselines if one is not None]
    told: Message | None = None
    if shown:
        by, one = shown[0]
        code = "membership.split-differs"
        told = Message(by, {"auc": one.value, "low": one.low, "high": one.high})
    else:
        assert below is not None
        one, code = below, "membership.attack-below-half"
    severity: Severity = "high" if matched is not None and matched.low > 0.6 else "medium"
    because = [estimate for _, estimate in shown] or [one]
    return Finding(
        code=code,
        severity=severity,
        because=tuple(estimate.name for estimate in (*because, matched) if estimate is not None),
        values={
            "auc": one.value,
            "low": one.low,
            "high": one.high,
            "told": told,
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
