"""Variants of the audited model compared with it: do they give the same reasons?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from probes.drift.explain.similarity import signed_cosine
from probes.drift.observables.attribution import maps_of
from probes.drift.observables.maps_by_model import Seen, among
from probes.message import Message
from probes.partial_result import Part
from probes.result import Scalar, Table, by_column
from probes.statistics.bootstrap import bootstrap_mean

PREFIX = "variant/"
HEADS = ("variant", "similarity", "low", "high", "another seed")


def reasons_of_variants(seen: Seen, methods: Sequence[str], rng: np.random.Generator, level: float) -> Part:
    """The cosine of each variant's attributions of the label to the audited model's, beside that of replicas with other
    seeds. Variants that could not be observed have none."""
    there = [name for name in sorted(seen) if name.startswith(PREFIX)]
    method = next((one for one in methods if maps_of(seen.get("audited"), one) is not None), None)
    if not there or method is None:
        return Part()
    audited = maps_of(seen["audited"], method)
    assert audited is not None
    others = [signed_cosine(audited, maps) for maps in among(seen, "seeds/", method)]
    floor = round(float(np.mean(others)), 3) if others else None
    estimates = []
    rows: list[tuple[Scalar, ...]] = []
    for name in there:
        maps = maps_of(seen[name], method)
        if maps is None or maps.shape != audited.shape:
            continue
        called = name.removeprefix(PREFIX)
        alike = bootstrap_mean(
            f"variant.{called}.similarity",
            signed_cosine(audited, maps),
            rng,
            level=level,
            unit="cosine",
            better="higher",
        )
        alike = dataclasses.replace(alike, title=Message("drift.variant-similarity", {"variant": called}))
        estimates.append(alike)
        rows.append((called, round(alike.value, 3), round(alike.low, 3), round(alike.high, 3), floor))
    if not rows:
        return Part()
    table = Table(
        name="variants",
        title=Message("drift.variants.title"),
        caption=Message("drift.variants.caption", {"method": method, "level": level}),
        columns=by_column(HEADS, rows),
    )
    return Part(estimates=tuple(estimates), figures=(table,))
