"""The forgetting probe: source-task accuracy and robustness of the audited model against its source, paired."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.evidence import Evidence, Modality
from probes.forgetting.general_text import general_text
from probes.forgetting.observables import Corrupted
from probes.forgetting.robustness import robustness
from probes.forgetting.source_skill import source_skill
from probes.forgetting.weight_interpolation import WeightInterpolation, weight_interpolation
from probes.measures.source_task import SourceTask
from probes.observable import Observable
from probes.partial_result import joined
from probes.plan import Plan
from probes.ranges import Level, Many
from probes.result import Result


@dataclass(frozen=True, kw_only=True)
class Forgetting:
    """Accuracy on the source's task, if its data is available, and on corrupted samples of the target's, of the audited
    model against its source, and of interpolations between their weights. For a language model: loss on general text
    against its base's, and the divergence of the two.

    samples  number of samples of each kind, at least 2 (600)
    level    two-sided coverage of all intervals, in (0.5, 1) (0.95)

    >>> Forgetting(samples=100).needs
    Plan(designs=())
    """

    samples: Many = 600
    level: Level = 0.95

    name: ClassVar[str] = "forgetting"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio", "language")
    risk: ClassVar[str] = "Which of its source's abilities did it lose?"
    self_check: ClassVar[Mapping[str, object] | None] = None

    @property
    def needs(self) -> Plan:
        return Plan()

    @property
    def _task(self) -> SourceTask:
        return SourceTask(samples=self.samples)

    @property
    def _corrupted(self) -> Corrupted:
        return Corrupted(samples=self.samples)

    @property
    def _interpolated(self) -> WeightInterpolation:
        return WeightInterpolation(samples=self.samples // 2)

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._task, self._corrupted, self._interpolated)

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        if evidence.sequences is not None:
            whole = general_text(evidence.sequences, rng, self.level)
        else:
            whole = joined(
                [
                    source_skill(evidence.observed(self._task), rng, self.level),
                    robustness(evidence, evidence.observed(self._corrupted), self.level),
                    weight_interpolation(evidence, evidence.observed(self._interpolated), rng, self.level),
                ]
            )
        return whole.result(self.name, dataclasses.asdict(self), evidence.limits)
