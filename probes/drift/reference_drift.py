"""Distance from the reference, by target, measure, method and class, between floor and ceiling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from probes.drift.drift_index import Placed, drift_index, p_above_floor, place
from probes.drift.explain.agreement import AGREEMENTS
from probes.drift.explain.similarity import SIMILARITIES
from probes.drift.explained_samples import Explained
from probes.drift.figures import class_table, measure_table, method_chart, similarity_chart
from probes.drift.gallery import gallery
from probes.drift.observables.attribution import Target, maps_of, methods_seen
from probes.drift.observables.maps_by_model import Seen, among
from probes.drift.sentences import sentences
from probes.evidence import Evidence
from probes.message import Message, Value
from probes.partial_result import Part, joined
from probes.result import Estimate, Figure, Finding, Scalar, Severity, Table, by_column
from probes.statistics.bootstrap import bootstrap_mean

PRIMARY = "signed cosine"
SETTLED = 0.2
"""An index whose upper end is below this counts as that of another seed, whatever its p-value: models that differ only
in their seed were between -0.22 and 0.12 (docs/drift.md), and a test over samples does not account for seeds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The audited model compared with another, for one target, with one method's maps."""

    whom: str
    target: Target
    method: str
    seen: Seen

    def placed(self, measure: str) -> Placed:
        audited, other = (maps_of(self.seen[name], self.method) for name in ("audited", self.whom))
        assert audited is not None
        assert other is not None
        floor, ceiling = (among(self.seen, name, self.method) for name in ("seeds/", "randomised/"))
        return place(audited, other, floor, ceiling, measure)


def comparisons(seen: Mapping[Target, Seen], methods: Sequence[str]) -> list[Comparison]:
    """All possible comparisons, with the one for the headline first: the reference checkpoint before the source, the
    label's logit before the label-free target, methods in the order given."""
    found = []
    for whom in ("reference", "source"):
        for target in ("label", "embedding"):
            here = seen[target]
            for method in methods:
                there = all(maps_of(here.get(name), method) is not None for name in ("audited", whom))
                if there and among(here, "seeds/", method) and among(here, "randomised/", method):
                    found.append(Comparison(whom=whom, target=target, method=method, seen=here))
    return found


def reference_drift(
    evidence: Evidence, seen: Mapping[Target, Seen], methods: Sequence[str], rng: np.random.Generator, level: float
) -> Part:
    possible = comparisons(seen, methods)
    agreeing = _agreement(seen["label"] or seen["embedding"], methods, rng, level)
    if not possible:
        return joined((Part(notes=(_why_not(seen),)), agreeing))
    first = possible[0]
    primary = first.placed(PRIMARY)
    headline = _headline(first, primary, rng, level)
    measures = {measure: first.placed(measure) for measure in SIMILARITIES}
    measures = {measure: placed for measure, placed in measures.items() if np.isfinite(placed.reference).all()}
    measured = Part(figures=(similarity_chart(measures, first.whom, level), measure_table(measures, rng, level)))
    others = _others(possible, rng, level)
    return joined((headline, measured, others, agreeing, _by_sample(evidence, first, primary, rng, level)))


def _headline(first: Comparison, primary: Placed, rng: np.random.Generator, level: float) -> Part:
    index = replace(drift_index("checkpoint.drift_index", primary, rng, level), tradeoff="risk")
    estimates = (index, *_similarities(first, primary, rng, level))
    if index.caveat is None:
        return Part(estimates=estimates, findings=(_finding(index, primary, first.whom, rng),))
    note = Message("drift.not-placed", {"whom": first.whom, "caveat": index.caveat})
    return Part(estimates=estimates, notes=(note,))


def _by_sample(evidence: Evidence, first: Comparison, primary: Placed, rng: np.random.Generator, level: float) -> Part:
    """The drift of each sample: by class, as a column and, of images, beside the maps."""
    observed = first.seen["audited"]
    figures: list[Figure] = [class_table(evidence, observed.samples, primary, first.whom, rng, level)]
    audited, other = (maps_of(first.seen[name], first.method) for name in ("audited", first.whom))
    assert audited is not None
    assert other is not None
    explained = Explained(
        chosen=observed.samples,
        labels=evidence.labels[observed.samples],
        classes=evidence.classes,
        reference=other,
        audited=audited,
        similarity=primary.reference,
        whom=first.whom,
        target=first.target,
    )
    if evidence.modality == "image" and audited.ndim == 3:
        figures.append(gallery(evidence.inputs, explained))
    if evidence.modality == "text" and evidence.token_names and audited.ndim == 2:
        figures.append(sentences(evidence.inputs, evidence.token_names, explained))
    column = np.full(len(evidence.labels), np.nan)
    column[observed.samples] = 1 - primary.reference
    return Part(figures=tuple(figures), per_sample={"drift": column})


def _similarities(first: Comparison, primary: Placed, rng: np.random.Generator, level: float) -> list[Estimate]:
    named = (
        (f"checkpoint.similarity_to_{first.whom}", primary.reference, False),
        ("floor.similarity", primary.floor, True),
        ("ceiling.similarity", primary.ceiling, True),
    )
    return [
        replace(bootstrap_mean(name, values, rng, level=level, unit="cosine", better="higher"), aid=aid)
        for name, values, aid in named
    ]


def _others(possible: Sequence[Comparison], rng: np.random.Generator, level: float) -> Part:
    """The index by every other target, model and method; the methods of the headline comparison in a chart."""
    estimates, first = [], possible[0]
    for one in possible[1:]:
        name = f"{one.whom}.{one.target}.{one.method}.drift_index"
        title = Message("drift.index.title", {"whom": one.whom, "target": one.target, "method": one.method})
        estimates.append(replace(drift_index(name, one.placed(PRIMARY), rng, level), title=title))
    same = [one for one in possible if (one.whom, one.target) == (first.whom, first.target)]
    chart = method_chart({one.method: one.placed(PRIMARY) for one in same}, first.whom, level)
    return Part(estimates=tuple(estimates), figures=(chart,))


def _agreement(seen: Seen, methods: Sequence[str], rng: np.random.Generator, level: float) -> Part:
    """Krishna et al. 2022: feature, rank and sign agreement of each pair of methods on the audited model."""
    there = methods_seen(seen.get("audited"), methods)
    rows: list[tuple[Scalar, ...]] = []
    estimates = []
    for i, one in enumerate(there):
        for other in there[i + 1 :]:
            maps = [maps_of(seen["audited"], method) for method in (one, other)]
            assert maps[0] is not None
            assert maps[1] is not None
            if maps[0].shape != maps[1].shape:
                continue
            cells: list[Scalar] = [one, other]
            for name, agree in AGREEMENTS.items():
                estimate = bootstrap_mean(
                    f"methods.{one}.{other}.{name}_agreement",
                    agree(maps[0], maps[1]),
                    rng,
                    level=level,
                    unit="fraction",
                )
                title = Message("drift.agreement-of.title", {"kind": f"{name} agreement", "one": one, "other": other})
                estimates.append(replace(estimate, title=title))
                cells.append(estimate.value)
            rows.append(tuple(cells))
    if not rows:
        return Part()
    headings = ("method", "other method", "feature agreement", "rank agreement", "sign agreement")
    table = Table(
        name="agreement",
        title=Message("drift.agreement.title"),
        caption=Message("drift.agreement.caption"),
        columns=by_column(headings, rows),
    )
    return Part(estimates=tuple(estimates), figures=(table,))


def _finding(index: Estimate, placed: Placed, whom: str, rng: np.random.Generator) -> Finding:
    p_value, least = p_above_floor(placed, rng)
    values: dict[str, Value] = {
        "index": index.value,
        "low": index.low,
        "high": index.high,
        "p": Message("drift.p-at-most" if p_value <= least else "drift.p-equal", {"p": p_value}),
        "whom": whom,
    }
    because = (index.name, f"checkpoint.similarity_to_{whom}", "floor.similarity", "ceiling.similarity")
    if p_value > 0.05 or index.high < SETTLED:
        how = Message("drift.as-another-seed") if p_value > 0.05 else Message("drift.not-quite-as-another-seed")
        return Finding(
            code="drift.benign",
            severity="info",
            because=because,
            values={**values, "how": how},
        )
    severity: Severity = "medium" if index.low > 0.75 else "low" if index.low > 0.4 else "info"
    return Finding(
        code="drift.moved",
        severity=severity,
        because=because,
        values=values,
    )


def _why_not(seen: Mapping[Target, Seen]) -> Message:
    if not any(name in here for here in seen.values() for name in ("source", "reference")):
        return Message("drift.no-source")
    if not any(name.startswith("seeds/") for here in seen.values() for name in here):
        return Message("drift.no-floor")
    return Message("drift.no-method")
