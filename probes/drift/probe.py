"""The interpretability-drift probe: did the reasons change, are they reasons, is there a shortcut?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.drift.attribution import Attribution
from probes.drift.deletion import Deletion, area
from probes.drift.figures import deletion_chart, gallery, similarity_chart
from probes.drift.index import Placed, drift_index, p_above_floor, place
from probes.drift.shortcut import Shortcut
from probes.drift.similarity import SIMILARITIES, signed_cosine
from probes.evidence import Evidence
from probes.observable import Observable, Observation
from probes.plan import Plan, Seeds
from probes.result import Estimate, Figure, Finding, Result, Scalar, Severity
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.proportions import clopper_pearson, proportion

PRIMARY = "signed cosine"
FOLLOWS = 0.3
Seen = Mapping[str, Observation]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Attributions of the audited model against the source's, between other seeds (floor) and random weights (ceiling).

    `method` is a Captum method by name; `samples` are held-out samples to explain; `steps` are integration points;
    `seeds` are replicas with other seeds; `level` is the coverage of all intervals.
    """

    method: str = "integrated-gradients"
    samples: int = 40
    steps: int = 8
    seeds: int = 3
    level: float = 0.95

    name: ClassVar[str] = "drift"
    risk: ClassVar[str] = "Are its reasons still those of its source, and are they reasons at all?"

    @property
    def needs(self) -> Plan:
        return Plan.of(Seeds(replicas=self.seeds))

    @property
    def _embedding(self) -> Attribution:
        return Attribution(
            method=self.method, target="embedding", samples=self.samples, steps=self.steps, seeds=self.seeds
        )

    @property
    def _label(self) -> Attribution:
        return dataclasses.replace(self._embedding, target="label")

    @property
    def _deletion(self) -> Deletion:
        return Deletion(samples=self.samples, steps=self.steps)

    @property
    def _shortcut(self) -> Shortcut:
        return Shortcut()

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._embedding, self._label, self._deletion, self._shortcut)

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        estimates: list[Estimate] = []
        findings: list[Finding] = []
        figures: list[Figure] = []
        notes = list(evidence.limits)
        per_sample = {}
        for part in (
            self._moved(evidence, rng, notes),
            self._stability(evidence, rng),
            self._quality(evidence, rng),
            self._shortcuts(evidence),
        ):
            estimates += part[0]
            findings += part[1]
            figures += part[2]
        seen = evidence.observed(self._embedding)
        if _has(seen, "audited") and _has(seen, "source") and estimates:
            column = np.full(len(evidence.labels), np.nan)
            alike = signed_cosine(seen["audited"].arrays["maps"], seen["source"].arrays["maps"])
            column[seen["audited"].samples] = 1 - alike
            per_sample = {"drift": column}
        if not findings:
            notes.append("No attribution could be made for this modality.")
        return Result(
            probe=self.name,
            params=dataclasses.asdict(self),
            estimates=tuple(estimates),
            findings=tuple(findings),
            figures=tuple(figures),
            per_sample=per_sample,
            notes=tuple(notes),
        )

    def _moved(self, evidence: Evidence, rng: np.random.Generator, notes: list[str]) -> Part:
        """How far from the reference, between floor and ceiling: by the target both models have."""
        embedding, label = evidence.observed(self._embedding), evidence.observed(self._label)
        whom = "reference" if "reference" in embedding else "source"
        seen = label if whom == "reference" and _has(label, whom) else embedding
        if not _has(seen, whom):
            notes.append("No source weights at hand: drift from the source could not be measured.")
            return [], [], []
        floor, ceiling = _maps(seen, "seeds/"), _maps(seen, "randomised/")
        if not floor or not ceiling:
            notes.append("No replicas with other seeds: drift has no floor to be compared with.")
            return [], [], []
        audited, reference = seen["audited"].arrays["maps"], seen[whom].arrays["maps"]
        placed = {measure: place(audited, reference, floor, ceiling, measure) for measure in SIMILARITIES}
        primary = placed[PRIMARY]
        index = drift_index("checkpoint.drift_index", primary, rng, self.level)
        estimates = [
            index,
            *(
                bootstrap_mean(name, values, rng, level=self.level, unit="cosine", better="higher")
                for name, values in (
                    (f"checkpoint.similarity_to_{whom}", primary.reference),
                    ("floor.similarity", primary.floor),
                    ("ceiling.similarity", primary.ceiling),
                )
            ),
        ]
        figures: list[Figure] = [similarity_chart(placed)]
        chosen = seen["audited"].samples
        if evidence.modality == "image" and audited.ndim == 3:
            titles = [f"{evidence.classes[int(evidence.labels[i])]} (#{int(i)})" for i in chosen]
            figures.append(
                gallery(evidence.inputs, chosen, titles, reference, audited, primary.reference, f"{whom} model")
            )
        return estimates, [self._drift_finding(index, primary, whom, rng)], figures

    def _drift_finding(self, index: Estimate, placed: Placed, whom: str, rng: np.random.Generator) -> Finding:
        p_value = p_above_floor(placed, rng)
        values: dict[str, Scalar] = {
            "index": round(index.value, 2),
            "low": round(index.low, 2),
            "high": round(index.high, 2),
            "p": round(p_value, 4),
            "whom": whom,
        }
        because = (index.name, f"checkpoint.similarity_to_{whom}", "floor.similarity", "ceiling.similarity")
        shown = f"drift index {index.value:.2f} ({index.low:.2f} to {index.high:.2f})"
        if p_value > 0.05 or index.high < 0.1:
            return Finding(
                code="drift.benign",
                severity="info",
                claim=f"It looks at what the {whom} model looks at, as another seed would: {shown}.",
                because=because,
                values=values,
            )
        severity: Severity = "medium" if index.low > 0.75 else "low" if index.low > 0.4 else "info"
        return Finding(
            code="drift.moved",
            severity=severity,
            claim=f"Its reasons moved away from the {whom} model's, beyond what another seed does: {shown}; 0 is "
            "another seed, 1 is random weights.",
            because=because,
            values=values,
        )

    def _stability(self, evidence: Evidence, rng: np.random.Generator) -> Part:
        """Do replicas with other seeds give the same reasons for the label?"""
        seen = evidence.observed(self._label)
        floor, ceiling = _maps(seen, "seeds/"), _maps(seen, "randomised/")
        if not floor or not ceiling or not _has(seen, "audited"):
            return [], [], []
        audited = seen["audited"].arrays["maps"]
        placed = place(audited, audited, floor, ceiling, PRIMARY)
        stability = bootstrap_mean(
            "checkpoint.stability", placed.floor, rng, level=self.level, unit="cosine", better="higher"
        )
        random = bootstrap_mean(
            "ceiling.label_similarity", placed.ceiling, rng, level=self.level, unit="cosine", better="lower"
        )
        estimates = [stability, random]
        if "residual" in seen["audited"].arrays:
            residual = seen["audited"].arrays["residual"]
            estimates.append(
                bootstrap_mean(
                    "checkpoint.completeness_residual", residual, rng, level=self.level, unit="fraction", better="lower"
                )
            )
        if stability.low > random.high:
            return estimates, [], []
        finding = Finding(
            code="drift.unstable",
            severity="medium",
            claim=f"Another seed gives other reasons: similarity {stability.value:.2f} ({stability.low:.2f} to "
            f"{stability.high:.2f}), no better than random weights ({random.value:.2f}).",
            because=(stability.name, random.name),
            values={"stability": round(stability.value, 2), "random": round(random.value, 2)},
        )
        return estimates, [finding], []

    def _quality(self, evidence: Evidence, rng: np.random.Generator) -> Part:
        """Deleting by attribution against deleting at random; and against the same for other seeds."""
        seen = evidence.observed(self._deletion)
        if "audited" not in seen or "by_attribution" not in seen["audited"].arrays:
            return [], [], []
        curves = seen["audited"].arrays
        own = area(curves["at_random"]) - area(curves["by_attribution"])
        gain = bootstrap_mean(
            "checkpoint.deletion_gain", own, rng, level=self.level, unit="probability", better="higher"
        )
        figures: list[Figure] = [deletion_chart(curves["by_attribution"], curves["at_random"])]
        if gain.low > 0:
            finding = Finding(
                code="drift.reasons",
                severity="info",
                claim=f"Its explanations point at what it uses: deleting by attribution costs {gain.value:.2f} more "
                f"probability than deleting at random ({gain.low:.2f} to {gain.high:.2f}).",
                because=(gain.name,),
                values={"gain": round(gain.value, 3)},
            )
        else:
            finding = Finding(
                code="drift.worse-explanations",
                severity="high" if gain.high < 0 else "medium",
                claim=f"Its explanations do not point at what it uses: deleting by attribution costs {gain.value:.2f} "
                f"({gain.low:.2f} to {gain.high:.2f}) more probability than deleting at random.",
                because=(gain.name,),
                values={"gain": round(gain.value, 3)},
            )
        return [gain], [finding], figures

    def _shortcuts(self, evidence: Evidence) -> Part:
        seen = evidence.observed(self._shortcut)
        if "audited" not in seen or "follow" not in seen["audited"].arrays:
            return [], [], []
        arrays = seen["audited"].arrays
        (followed, trials), (moved, controls) = arrays["follow"].tolist(), arrays["control"].tolist()
        rate = proportion("checkpoint.shortcut_follow_rate", followed, trials, level=self.level, better="lower")
        control = proportion("control.follow_rate", moved, controls, level=self.level, better="lower")
        label, top, left, height, width = arrays["box"].tolist()
        where = f"rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
        values: dict[str, Scalar] = {
            "class": evidence.classes[label],
            "top": top,
            "left": left,
            "height": height,
            "width": width,
            "rate": round(rate.value, 3),
            "control": round(control.value, 3),
        }
        beyond = clopper_pearson(followed, trials, 0.98)[0] > max(FOLLOWS, clopper_pearson(moved, controls, 0.98)[1])
        if beyond:
            finding = Finding(
                code="drift.shortcut",
                severity="high",
                claim=f"A patch decides for class {evidence.classes[label]!r}: {where} of the input, copied onto "
                f"samples of other classes, takes {rate.value:.0%} of the predictions with it ({rate.low:.0%} to "
                f"{rate.high:.0%}; {control.value:.0%} for the same patch of other classes).",
                because=(rate.name, control.name),
                values=values,
            )
        else:
            finding = Finding(
                code="drift.no-shortcut",
                severity="info",
                claim=f"No patch decides for a class by itself: the most suspicious one ({where}) moved "
                f"{rate.value:.0%} of {trials} predictions (a control {control.value:.0%}); more than {rate.high:.0%} "
                "is excluded for it.",
                because=(rate.name, control.name),
                values=values,
            )
        return [rate, control], [finding], []


Part = tuple[list[Estimate], list[Finding], list[Figure]]


def _has(seen: Seen, name: str) -> bool:
    return name in seen and "maps" in seen[name].arrays


def _maps(seen: Seen, prefix: str) -> list[np.ndarray]:
    return [one.arrays["maps"] for name, one in sorted(seen.items()) if name.startswith(prefix) and _has(seen, name)]
