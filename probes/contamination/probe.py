"""The contamination probe: copies across the split, the inflation they cause, and columns that give the label away."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from probes.contamination.benchmarks import benchmarks_part, copied_by_members
from probes.contamination.column_leakage import column_leak
from probes.contamination.decontaminated import clean_estimates, clean_table
from probes.contamination.duplicates import Duplicates, duplicates, source_features
from probes.contamination.figures import Pair, conflicting, pairs_gallery, pairs_table, ranked_pairs
from probes.contamination.near_texts import ALIKE
from probes.contamination.overlapping_windows import overlapping_part
from probes.contamination.related_copies import apart, conflict, conflict_count, groups_across
from probes.contamination.rephrasings import rephrased_benchmarks, rephrasings
from probes.contamination.source_overlap import source_overlap
from probes.evidence import Evidence, Modality
from probes.measures.embedding import Embedding
from probes.message import Message, Value
from probes.observable import Observable
from probes.partial_result import Part, joined
from probes.plan import Plan
from probes.ranges import Level, Rate, Tolerated
from probes.result import Estimate, Figure, Finding, Result, Severity
from probes.statistics.proportions import proportion

Mask = Bool[np.ndarray, " samples"]

ACROSS = (
    "exact_duplicates_across_split",
    "near_duplicates_across_split",
    "contaminated_share",
    "group_shared_share",
    "overlapping_share",
    "held_out_accuracy_clean",
    "accuracy_inflation",
)
"""Estimates that need to know which samples trained this model."""


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """Exact and near duplicates across members, validation and held-out samples, and in the source task's data if
    available; every held-out figure is computed again without them.

    near             search for near duplicates too (on)
    level            two-sided coverage of all intervals, in (0.5, 1) (0.95)
    tolerated_share  share of held-out samples with a copy among the members above which the held-out figures count as
                     inflated, in [0, 1) (0.01)
    leak_at          AUC above which a single column of a table is reported as giving the label away, in (0, 1) (0.95)
    pair_at          balanced accuracy above which two columns of a table are reported as giving the label away
                     together, where neither does alone, in (0, 1) (0.95)

    >>> Contamination(near=False).needs
    Plan(designs=())
    """

    near: bool = True
    level: Level = 0.95
    tolerated_share: Tolerated = 0.01
    leak_at: Rate = 0.95
    pair_at: Rate = 0.95

    name: ClassVar[str] = "contamination"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio", "language")
    risk: ClassVar[str] = "Are the held-out samples new to the model?"
    requires: ClassVar[tuple[str, ...]] = ("samples",)

    @property
    def needs(self) -> Plan:
        return Plan()

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (Embedding(),) if self.near else ()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        member, held_out = evidence.pool.member, evidence.pool.held_out
        found = duplicates(evidence, rng, near=self.near)
        exact = held_out & found.equal_to(member)
        near = held_out & found.near_to(member) & ~exact
        contaminated = exact | near
        pairs = ranked_pairs(
            found, member, held_out, pictures=evidence.modality == "image" and evidence.inputs.ndim == 4
        )
        estimates = [
            _count("exact_duplicates_across_split", exact, held_out, self.level),
            _count("near_duplicates_across_split", near, held_out, self.level),
            dataclasses.replace(
                proportion(
                    "contaminated_share",
                    int(contaminated.sum()),
                    int(held_out.sum()),
                    level=self.level,
                    better="lower",
                ),
                decided_by=Message("gate.take-copies-out"),
            ),
            *clean_estimates(evidence, contaminated, self.level),
        ]
        findings = [self._across(estimates, contaminated, pairs), *apart(evidence, found)]
        figures: list[Figure] = []
        if pairs:
            figures.append(pairs_table(evidence, pairs))
            gallery = pairs_gallery(evidence, pairs)
            figures += [gallery] if gallery is not None else []
        if contaminated.any() and not contaminated[held_out].all():
            figures.append(clean_table(evidence, contaminated, found.group, self.level))
        clashes = conflicting(found, evidence.labels)
        estimates.append(conflict_count(clashes, found, self.level))
        findings += conflict(clashes)
        own = Part(
            estimates=tuple(estimates),
            findings=tuple(findings),
            figures=tuple(figures),
            per_sample={"duplicate_group": found.group, "contaminated": contaminated},
            notes=self._notes(evidence, found),
        )
        in_members = copied_by_members(evidence)
        parts = (
            own,
            groups_across(evidence, self.level),
            overlapping_part(evidence, self.level) if self.near else Part(),
            source_overlap(evidence, self.level, near=self.near),
            column_leak(evidence, rng, self.level, leak_at=self.leak_at, pair_at=self.pair_at),
            benchmarks_part(evidence, in_members, self.level),
            rephrasings(evidence, contaminated, rng, self.level) if self.near else Part(),
            rephrased_benchmarks(evidence, in_members, rng, self.level) if self.near else Part(),
        )
        whole = joined(parts).if_members(evidence.members_doubt, ACROSS)
        return whole.result(self.name, dataclasses.asdict(self), evidence.limits)

    def _across(self, estimates: list[Estimate], contaminated: Mask, pairs: list[Pair]) -> Finding:
        exact, near, share = estimates[:3]
        by_name = {estimate.name: estimate for estimate in estimates}
        because = ("contaminated_share", "exact_duplicates_across_split", "near_duplicates_across_split")
        count = int(contaminated.sum())
        if not count:
            return Finding(
                code="contamination.none",
                severity="info",
                because=because,
                values={"high": share.high, "n": share.n},
            )
        severity: Severity = "high" if share.low > 0.05 else "medium" if share.value > self.tolerated_share else "low"
        inflation = by_name.get("accuracy_inflation")
        without = Message("contamination.nothing-left")
        if inflation is not None:
            clean = by_name["held_out_accuracy_clean"].value
            without = Message(
                "contamination.clean-accuracy",
                {
                    "accuracy": clean,
                    "change": 0.0 - inflation.value,
                    "low": 0.0 - inflation.high,
                    "high": 0.0 - inflation.low,
                },
            )
        listed = dict.fromkeys(s for pair in pairs if pair.across for s in (pair.one, pair.other) if contaminated[s])
        return Finding(
            code="contamination.across-split",
            severity=severity,
            because=(*because, *(["held_out_accuracy_clean", "accuracy_inflation"] if inflation is not None else [])),
            samples=tuple(listed)[:100],
            values={
                "count": count,
                "n": share.n,
                "share": share.value,
                "exact": int(exact.value),
                "near": int(near.value),
                "without": without,
            },
        )

    def _notes(self, evidence: Evidence, found: Duplicates) -> tuple[Message, ...]:
        if not self.near:
            return (Message("contamination.near-off"),)
        if found.near.threshold == 0:
            return (Message("contamination.near-impossible"),)
        if evidence.sequences is not None:
            return (Message("contamination.near-texts", {"pairs": found.near.looked_at, "alike": ALIKE}),)
        by = "images and the source model's features" if source_features(evidence) is not None else "content"
        near: dict[str, Value] = {"pairs": found.near.looked_at, "by": by, "distance": float(found.near.threshold)}
        return (Message("contamination.near", near),)


def _count(name: str, some: Mask, held_out: Mask, level: float) -> Estimate:
    """A count in this data set: known rather than estimated, so its interval is a point."""
    count = float(some.sum())
    return Estimate(
        name=name,
        value=count,
        low=count,
        high=count,
        level=level,
        n=int(held_out.sum()),
        counted="held-out samples",
        unit="held-out samples",
        better="lower",
    )
