"""Representations: how similarly layers represent the samples (CKA), and how far the classes moved in feature space."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float64, Int

from probes.drift.cka import cka
from probes.drift.figures import cka_chart
from probes.drift.observables.attribution import heard
from probes.drift.observables.maps_by_model import Seen
from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part, joined
from probes.result import Estimate, Scalar, Table
from probes.statistics.bootstrap import bootstrap_mean


def representation_drift(evidence: Evidence, seen: Seen, rng: np.random.Generator, level: float) -> Part:
    audited = seen.get("audited")
    if audited is None:
        return Part()
    whom = next((name for name in ("reference", "source") if name in seen), None)
    seeds = sorted(name for name in seen if name.startswith("seeds/"))
    return joined((_layers(seen, whom, seeds, level), _classes(evidence, seen, whom, seeds, rng, level)))


def _layers(seen: Seen, whom: str | None, seeds: list[str], level: float) -> Part:
    """CKA by layer with the reference, and with each seed as the floor."""
    own = seen["audited"].arrays
    if "gram" not in own:
        return Part()
    names = [str(name) for name in heard(own["layers"]).values()]
    lines: dict[str, list[Estimate]] = {}
    for name in ([whom] if whom else []) + seeds:
        grams = seen[name].arrays.get("gram")
        if grams is not None and grams.shape == own["gram"].shape:
            lines[name] = [
                dataclasses.replace(
                    cka(f"cka.{name}.{layer}", one, other, level=level),
                    title=Message("drift.cka-of.title", {"model": name, "layer": layer}),
                )
                for layer, one, other in zip(names, own["gram"], grams, strict=True)
            ]
    return Part(
        estimates=tuple(lines[whom]) if whom in lines else (),
        figures=(cka_chart(names, lines, whom, level),) if lines else (),
    )


def _classes(
    evidence: Evidence, seen: Seen, whom: str | None, seeds: list[str], rng: np.random.Generator, level: float
) -> Part:
    """The distance of each class's centre in the embedding from that in the other model, in units of the class's spread
    there; both have the same architecture and head, so coordinates are comparable."""
    own = seen["audited"].arrays["embedding"].astype(np.float64)
    others = {name: seen[name].arrays["embedding"].astype(np.float64) for name in ([whom] if whom else []) + seeds}
    others = {name: ends for name, ends in others.items() if ends.shape == own.shape}
    if whom not in others:
        return Part()
    labels = evidence.labels[seen["audited"].samples]
    present = [int(label) for label in np.unique(labels) if (labels == label).sum() > 1]
    shifts = {name: np.array([_shift(own, ends, labels, label) for label in present]) for name, ends in others.items()}
    floor = [shifts[name] for name in seeds if name in shifts]
    estimates = []
    if len(present) > 1:
        moved = bootstrap_mean(f"checkpoint.class_shift_from_{whom}", shifts[whom], rng, level=level, unit="sd")
        estimates.append(dataclasses.replace(moved, counted="classes"))
        if floor:
            mean = np.mean(floor, axis=0)
            among_seeds = bootstrap_mean("floor.class_shift", mean, rng, level=level, unit="sd")
            estimates.append(dataclasses.replace(among_seeds, counted="classes", aid=True))
    columns: dict[str, list[Scalar]] = {
        "class": [evidence.classes[label] for label in present],
        "samples": [int((labels == label).sum()) for label in present],
        f"shift from {whom}": [float(value) for value in shifts[whom]],
    }
    if floor:
        columns["shift from other seeds"] = [float(np.mean([one[i] for one in floor])) for i in range(len(present))]
    table = Table(
        name="class-shift",
        title=Message("drift.class-shift.title"),
        caption=Message("drift.class-shift.caption"),
        columns=columns,
    )
    return Part(estimates=tuple(estimates), figures=(table,))


def _shift(
    own: Float64[np.ndarray, "samples features"],
    other: Float64[np.ndarray, "samples features"],
    labels: Int[np.ndarray, " samples"],
    label: int,
) -> float:
    mine = labels == label
    centre = other[mine].mean(axis=0)
    spread = float(np.sqrt(((other[mine] - centre) ** 2).sum(axis=1).mean()))
    return float(np.linalg.norm(own[mine].mean(axis=0) - centre) / max(spread, 1e-12))
