"""The reconstruction probe: guesses at the training samples' features from a few-shot head's weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy
from jaxtyping import Int

from probes.evidence import Evidence, Modality
from probes.message import Message
from probes.observable import Observable
from probes.partial_result import Part
from probes.plan import Plan
from probes.ranges import Count, Level
from probes.reconstruction.attack import Attacked, attack
from probes.reconstruction.head import Head
from probes.result import Estimate, Finding, Result, Severity, Table
from probes.statistics.proportions import proportion
from probes.statistics.student_t import t_interval

FALSE = 0.05
"""The share of other sets of samples that may be as near to a guess as the training samples are."""


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """For heads on frozen features: whether their weights reveal the features of the few samples that trained them.

    per_class  tried if the smallest class has at most this many members: heads trained on more samples reveal little
               (16)
    level      two-sided coverage of all intervals, in (0.5, 1) (0.95)

    Maciążek & Allison 2025.

    >>> Reconstruction().needs
    Plan(designs=())
    """

    per_class: Count = 16
    level: Level = 0.95

    name: ClassVar[str] = "reconstruction"
    risk: ClassVar[str] = "Do the weights of a few-shot head reveal the samples that trained it?"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio")

    @property
    def needs(self) -> Plan:
        return Plan()

    @property
    def _head(self) -> Head:
        return Head(per_class=self.per_class)

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._head,)

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        part = self._part(evidence, rng)
        part = part.if_members(evidence.members_doubt, ("checkpoint",))
        return part.result(self.name, dataclasses.asdict(self), evidence.limits)

    def _part(self, evidence: Evidence, rng: np.random.Generator) -> Part:
        seen = evidence.observed(self._head)
        audited, source = seen.get("audited"), seen.get("source")
        if audited is not None and not len(audited.samples):
            return Part(notes=(Message("reconstruction.not-few-shot", {"count": self.per_class}),))
        if audited is None or source is None or not audited.arrays["weights"].size:
            return Part(notes=(Message("reconstruction.no-head"),))
        features = audited.arrays["features"]
        if features.shape != source.arrays["features"].shape or not np.array_equal(features, source.arrays["features"]):
            return Part(notes=(Message("reconstruction.not-frozen"),))
        labels, member = evidence.labels[audited.samples], evidence.pool.member[audited.samples]
        found = attack(features, labels, member, audited.arrays["weights"], rng)
        if len(found.classes) < 2:
            return Part(notes=(Message("reconstruction.too-few-others"),))
        auc = _nearer(found, self.level)
        rate = proportion(
            "checkpoint.reconstruction_tpr_at_5pct_fpr",
            int((found.p <= FALSE * (1 + 1e-9)).sum()),
            len(found.nearer),
            level=self.level,
        )
        rate = dataclasses.replace(rate, better="lower", counted="classes", caveat=_unresolved(found))
        members = int(np.bincount(labels[member], minlength=len(evidence.classes))[found.classes].max())
        return Part(
            estimates=(auc, rate),
            findings=(_finding(found, auc, rate, members, self.level),),
            figures=(_table(found, evidence, audited.samples),),
        )


def _unresolved(found: Attacked) -> Message | None:
    """A caveat if so many of a class are members that the single nearest sample is one of them by chance more often
    than that."""
    worst = float(found.least.max())
    return Message("reconstruction.unresolved", {"share": worst}) if worst > FALSE * (1 + 1e-9) else None


def _nearer(found: Attacked, level: float) -> Estimate:
    """The mean share over classes, with Student's t interval over classes."""
    value, count = float(found.nearer.mean()), len(found.nearer)
    low, high = t_interval(value, float(found.nearer.std(ddof=1)) / count**0.5, count - 1, level)
    return Estimate(
        name="checkpoint.reconstruction_auc",
        value=value,
        low=max(0.0, low),
        high=min(1.0, high),
        level=level,
        n=count,
        counted="classes",
        unit="AUC",
        better="lower",
        dof=count - 1.0,
    )


def _finding(found: Attacked, auc: Estimate, rate: Estimate, members: int, level: float) -> Finding:
    """If the head reveals nothing, each class's share is the rank of a permutation test, uniform between 0 and 1; the
    mean of several has a lighter tail than a normal distribution with the same variance."""
    p_value = float(scipy.stats.norm.sf((auc.value - 0.5) * (12 * len(found.nearer)) ** 0.5))
    shown = p_value < (1 - level) / 2
    severity: Severity = "info" if not shown else "high" if auc.low > 0.8 else "medium"
    return Finding(
        code="reconstruction.leaks" if shown else "reconstruction.quiet",
        severity=severity,
        because=(auc.name, rate.name),
        values={
            "auc": auc.value,
            "low": auc.low,
            "high": auc.high,
            "classes": len(found.classes),
            "named": round(rate.value * len(found.classes)),
            "members": members,
        },
    )


def _table(found: Attacked, evidence: Evidence, samples: Int[np.ndarray, " samples"]) -> Table:
    order = np.argsort(-found.nearer, kind="stable")
    return Table(
        name="reconstructed",
        title=Message("reconstruction.reconstructed.title"),
        caption=Message("reconstruction.reconstructed.caption"),
        columns={
            "class": [evidence.classes[found.classes[place]] for place in order],
            "AUC": [round(float(found.nearer[place]), 3) for place in order],
            "sample": [int(samples[found.nearest[place]]) for place in order],
        },
    )
