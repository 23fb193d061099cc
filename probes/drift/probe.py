"""The interpretability-drift probe: did the reasons change, are they sound, is there a shortcut?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.drift.explain import names as naming
from probes.drift.explanation_quality import explanation_quality, fit_methods, left_out, stability
from probes.drift.observables.attribution import Attribution, Target, maps_of
from probes.drift.observables.faithfulness import Quality
from probes.drift.observables.maps_by_model import Seen
from probes.drift.observables.representation import Representation
from probes.drift.prompts import of_prompts
from probes.drift.reference_drift import reference_drift
from probes.drift.representation_drift import representation_drift
from probes.drift.sanity_check import Sanity
from probes.drift.shortcuts.boxes import Boxes
from probes.drift.shortcuts.excess import EXCESS
from probes.drift.shortcuts.family import FAMILIES
from probes.drift.shortcuts.findings import shortcuts
from probes.drift.shortcuts.search import DECIDES, ShortcutSearch
from probes.drift.variants import reasons_of_variants
from probes.evidence import Evidence, Modality
from probes.message import Message, Text
from probes.observable import Observable
from probes.partial_result import Part, joined
from probes.plan import Plan, Seeds
from probes.ranges import Count, CountOrNone, Level, Many, Positive, Rate
from probes.result import Result

COMPARED = 3
ENOUGH = 0.05
"""The residual above which nodes are added to maps that are only compared (docs/drift.md gives their accuracy)."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Attributions of the audited model against the source's, between other seeds (floor) and random weights (ceiling).

    methods           ours (`integrated-gradients`, `grad-cam`, ...) or Captum's classes by name; default: those of the
                      modality. The verdict rests on the first that responds to random weights; if none does, nothing is
                      decided
    layer             the layer that layer methods use; chosen automatically if empty
    samples           held-out samples that are explained, at least 2 (24)
    steps             nodes of path integrals, at least 1 (6)
    most_steps        largest number of nodes, at least 1 (54), reached only while completeness is off; for maps that
                      are only compared, COMPARED times `steps`
    tolerance         how far completeness may be off, above 0 (0.01); ENOUGH for maps that are only compared
    seeds             replicas with other seeds, at least 0 (3)
    deleted           samples with deletion curves, at least 2 (64)
    box_sizes         side lengths of suspected patches as shares of the image's, in (0, 1)
    transplanted      samples used in the search for shortcuts, half of them held-out, by every installed family of the
                      modality, at least 2 (480)
    most_transplanted  largest number of samples (1200), used if those leave it undecided
    decides           a shortcut decides if it changes more than this share of the predictions beyond its control;
                      default: the gate's bound
    level             two-sided coverage of all intervals, in (0.5, 1) (0.95)

    Raises ConfigError for an unknown method. Adebayo et al. 2018 (random weights); Sundararajan et al. 2017.

    >>> Drift(seeds=2).needs
    Plan(designs=(Seeds(replicas=2),))
    """

    methods: tuple[str, ...] = ()
    layer: str = ""
    samples: Many = 24
    steps: Count = 6
    most_steps: Count = 54
    tolerance: Positive = 0.01
    seeds: CountOrNone = 3
    deleted: Many = 64
    box_sizes: tuple[Rate, ...] = (0.1, 0.15, 0.2)
    transplanted: Many = 480
    most_transplanted: Many = 1200
    decides: float = DECIDES
    level: Level = 0.95

    name: ClassVar[str] = "drift"
    risk: ClassVar[str] = "Are its reasons still those of its source, and are they reasons at all?"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio", "language")
    requires: ClassVar[tuple[str, ...]] = ("model",)
    judged_at: ClassVar[Mapping[str, str]] = {"decides": EXCESS}
    self_check: ClassVar[Mapping[str, object] | None] = {
        "samples": 8,
        "steps": 4,
        "most_steps": 8,
        "seeds": 2,
        "deleted": 16,
    }

    def __post_init__(self) -> None:
        naming.check(self.methods)

    @property
    def needs(self) -> Plan:
        return Plan.of(Seeds(replicas=self.seeds))

    @property
    def _embedding(self) -> Attribution:
        return Attribution(
            methods=self.methods,
            samples=self.samples,
            steps=self.steps,
            most=min(COMPARED * self.steps, self.most_steps),
            tolerance=max(ENOUGH, self.tolerance),
            seeds=self.seeds,
            layer=self.layer,
        )

    @property
    def _label(self) -> Attribution:
        return dataclasses.replace(self._embedding, target="label")

    @property
    def _quality(self) -> Quality:
        return Quality(
            methods=self.methods,
            samples=self.deleted,
            steps=self.steps,
            tolerance=self.tolerance,
            most=self.most_steps,
            layer=self.layer,
        )

    @property
    def _sanity(self) -> Sanity:
        return Sanity(methods=self.methods, steps=self.steps, layer=self.layer)

    @property
    def _shortcut(self) -> ShortcutSearch:
        families = tuple(
            dataclasses.replace(one, sizes=self.box_sizes) if isinstance(one, Boxes) else one
            for one in FAMILIES.all().values()
        )
        return ShortcutSearch(
            samples=self.transplanted,
            most=self.most_transplanted,
            bound=self.decides,
            level=self.level,
            families=families,
        )

    @property
    def _representation(self) -> Representation:
        return Representation(seeds=self.seeds)

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._embedding, self._label, self._quality, self._sanity, self._shortcut, self._representation)

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        if evidence.sequences is not None:
            part = of_prompts(evidence.sequences, len(evidence.labels), rng, self.level)
            return part.result(self.name, dataclasses.asdict(self), evidence.limits)
        asked = naming.chosen(self.methods, evidence.modality)
        seen: dict[Target, Seen] = {
            "embedding": evidence.observed(self._embedding),
            "label": evidence.observed(self._label),
        }
        limits = (*evidence.limits, *left_out({str(target): here for target, here in seen.items()}))
        methods, sane = fit_methods(evidence.observed(self._sanity), asked, rng, self.level)
        sections = (
            Part(notes=limits, examined=_explained(seen, methods)),
            reference_drift(evidence, seen, methods, rng, self.level).grown_by("samples", self.samples),
            stability(seen["label"], methods, rng, self.level).grown_by("samples", self.samples),
            reasons_of_variants(seen["label"], methods, rng, self.level).grown_by("samples", self.samples),
            explanation_quality(evidence.observed(self._quality), asked, methods, rng, self.level).grown_by(
                "deleted", self.deleted
            ),
            sane,
            shortcuts(evidence, self._shortcut, evidence.observed(self._shortcut), rng, self.level),
            representation_drift(evidence, evidence.observed(self._representation), rng, self.level),
        )
        whole = joined(sections)
        silent = () if whole.findings else (Message("drift.no-claim"),)
        return whole.result(self.name, {**dataclasses.asdict(self), "methods": list(asked)}, silent)


def _explained(seen: Mapping[Target, Seen], methods: Sequence[str]) -> tuple[Text, ...]:
    """How many of the audited model's samples have a map by any method."""
    found = [maps_of(one.get("audited"), method) for one in seen.values() for method in methods]
    counts = [len(maps) for maps in found if maps is not None]
    return (Message("drift.explained", {"count": max(counts)}),) if counts else ()
