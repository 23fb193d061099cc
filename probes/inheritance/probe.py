"""The inheritance probe: backdoors of the source, worst groups, and the source's members."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.evidence import Evidence
from probes.inheritance.backdoor import backdoor
from probes.inheritance.provenance import provenance
from probes.inheritance.source_members import source_members
from probes.inheritance.trigger_inversion import TriggerInversion
from probes.inheritance.weight_change import WeightChange, weight_change
from probes.inheritance.worst_group import worst_group
from probes.measures.embedding import Embedding
from probes.measures.source_task import SourceTask
from probes.message import Message
from probes.observable import Observable
from probes.partial_result import Part, joined
from probes.plan import Plan
from probes.ranges import Count, Level, Many
from probes.result import Result


@dataclass(frozen=True, kw_only=True)
class Inheritance:
    """What was inherited: triggers inverted on the source and tried on the audited model; accuracy, calibration, gap
    and leakage by class, group and slice. Poisoned members are not searched for: clusters of their features did not
    tell them from sound ones (docs/inheritance.md), and what they are marked with is a shortcut of the drift probe.

    classes  largest number of source classes whose triggers are inverted, at least 2 (10)
    steps    of each inversion, at least 1 (150)
    level    two-sided coverage of all intervals, in (0.5, 1) (0.95)

    >>> Inheritance(steps=50).needs
    Plan(designs=())
    """

    classes: Many = 10
    steps: Count = 150
    level: Level = 0.95

    name: ClassVar[str] = "inheritance"
    risk: ClassVar[str] = "What did it inherit from its source and its data?"
    self_check: ClassVar[Mapping[str, object] | None] = None

    @property
    def needs(self) -> Plan:
        return Plan()

    @property
    def _inversion(self) -> TriggerInversion:
        return TriggerInversion(steps=self.steps, classes=self.classes)

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._inversion, WeightChange(), SourceTask(), Embedding())

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        whole = joined(
            [
                backdoor(evidence, evidence.observed(self._inversion), self.level),
                weight_change(evidence.observed(WeightChange())),
                worst_group(evidence, evidence.observed(Embedding()), rng, self.level),
                source_members(evidence.observed(SourceTask()), self.level),
                provenance(evidence),
                Part(notes=(Message("inheritance.poison-not-searched"),)),
            ]
        )
        return whole.result(self.name, dataclasses.asdict(self), evidence.limits)
