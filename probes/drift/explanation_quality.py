"""The quality of explanations: do they depend on the model, identify what it uses, and agree across seeds?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from probes.drift.explain.similarity import signed_cosine
from probes.drift.figures import curve_chart, sanity_chart
from probes.drift.observables.attribution import LEFT_OUT, heard, maps_of
from probes.drift.observables.faithfulness import gains
from probes.drift.observables.maps_by_model import Seen, among, mean_of
from probes.drift.sanity_check import DEPTHS
from probes.message import Message, Value
from probes.observable import Observation
from probes.partial_result import Part
from probes.result import Better, Estimate, Finding
from probes.statistics.bootstrap import bootstrap_mean

NOTICES = 0.5
"""A method whose maps keep this cosine with the true ones when the weights are random does not reflect the network."""
WORSE = 0.2
"""A loss of deletion gain relative to the source that is reported as a finding."""
UNSTABLE = 0.2
"""How much further from other seeds than these are from each other."""
HARDLY = 0.3
"""Reasons are unstable if their cosine with other seeds exceeds that with random weights by less than this, with the
whole interval."""


def fit_methods(seen: Seen, methods: Sequence[str], rng: np.random.Generator, level: float) -> tuple[list[str], Part]:
    """The methods that respond to randomised weights, and the findings about the others. Without a sanity check, all
    methods."""
    fit, estimates, findings = [], [], []
    audited = seen.get("audited")
    lines: dict[str, list[Estimate]] = {}
    for method in methods:
        stages = _stages(audited, method)
        if not stages:
            fit.append(method)
            continue
        lines[method] = [
            bootstrap_mean(f"sanity.{method}.{stage}", alike, rng, level=level, unit="cosine", better="lower")
            for stage, alike in enumerate(stages)
        ]
        last = lines[method][-1]
        estimates.append(_summary(method, last))
        if last.low <= NOTICES:
            fit.append(method)
            continue
        findings.append(
            Finding(
                code="drift.unfit-method",
                severity="low",
                because=(f"sanity.{method}",),
                values={"method": method, "similarity": last.value, "low": last.low, "high": last.high},
            )
        )
    chart = (sanity_chart(lines, DEPTHS, level),) if lines else ()
    return fit, Part(estimates=tuple(estimates), findings=tuple(findings), figures=chart)


def _stages(audited: Observation | None, method: str) -> list[np.ndarray]:
    """Similarity to the true maps per sample, for each stage of the cascade."""
    own = maps_of(audited, method)
    if audited is None or own is None:
        return []
    found = []
    for stage in range(len(DEPTHS)):
        maps = audited.arrays.get(f"{stage}/maps/{method}")
        if maps is not None and maps.shape == own.shape:
            found.append(signed_cosine(own, maps))
    return found if len(found) == len(DEPTHS) else []


def left_out(seen: Mapping[str, Seen]) -> list[Message]:
    """Notes on requested methods that are not suitable for a network."""
    notes = []
    for here in seen.values():
        for name in ("audited", "source", "reference"):
            if name in here and LEFT_OUT in here[name].arrays:
                words = heard(here[name].arrays[LEFT_OUT])
                notes += [
                    Message("drift.unsuited", {"method": method, "whom": name, "why": why})
                    for method, why in words.items()
                ]
    return list(dict.fromkeys(notes))


def explanation_quality(
    seen: Seen, asked: Sequence[str], fit: Sequence[str], rng: np.random.Generator, level: float
) -> Part:
    """Deletion and insertion by attribution compared with random order, and with the source's own explanations. Uses
    the first method that is `fit`; if none is, the first requested, which carries no verdict: its estimates have a
    caveat, and nothing is claimed."""
    audited = seen.get("audited")
    there = [] if audited is None else [one for one in asked if f"{one}/deletion" in audited.arrays]
    if audited is None or not there:
        return Part()
    method = next((one for one in there if one in fit), there[0])
    own = gains(audited.arrays, method)
    estimates = [
        bootstrap_mean(f"checkpoint.{name}_gain", values, rng, level=level, unit="points", better="higher")
        for name, values in own.items()
    ]
    estimates += _axioms(audited, method, rng, level)
    gain = estimates[0]
    known = [name for name in ("reference", "source") if name in seen and f"{method}/deletion" in seen[name].arrays]
    other = known[0] if known else None
    theirs = None if other is None else seen[other].arrays
    curves = tuple(
        curve_chart(audited.arrays, kind, method, level, other, theirs) for kind in ("deletion", "insertion")
    )
    difference = None
    if theirs is not None:
        lost = own["deletion"] - gains(theirs, method)["deletion"]
        name = "checkpoint.deletion_gain_change"
        difference = bootstrap_mean(name, lost, rng, level=level, unit="points", better="higher")
        estimates.append(difference)
    if method in fit:
        judged = _judged(method, gain, difference, other)
        return Part(estimates=tuple(estimates), findings=(judged,), figures=curves)
    caveat = Message("drift.unnoticed", {"method": method})
    return Part(estimates=tuple(dataclasses.replace(one, caveat=caveat) for one in estimates), figures=curves)


def _axioms(audited: Observation, method: str, rng: np.random.Generator, level: float) -> list[Estimate]:
    named = (
        ("infidelity", "checkpoint.infidelity", "fraction"),
        ("sensitivity", "checkpoint.sensitivity", "fraction"),
        ("residual", "checkpoint.completeness_residual", "fraction"),
        ("steps", "checkpoint.integration_steps", "steps"),
    )
    found = []
    for array, name, unit in named:
        values = audited.arrays.get(f"{method}/{array}")
        if values is not None and np.isfinite(values).sum() > 1:
            # The cost of the computation is not a quality of the model.
            better: Better = "neither" if unit == "steps" else "lower"
            found.append(bootstrap_mean(name, values.astype(np.float64), rng, level=level, unit=unit, better=better))
    return found


def _judged(method: str, gain: Estimate, difference: Estimate | None, other: str | None) -> Finding:
    values: dict[str, Value] = {"method": method, "gain": gain.value, "low": gain.low, "high": gain.high}
    if gain.low <= 0:
        surely = gain.high < 0
        return Finding(
            code="drift.worse-explanations" if surely else "drift.unshown-explanations",
            severity="high" if surely else "medium",
            because=(gain.name,),
            values=values,
        )
    if difference is not None and difference.high < -WORSE:
        return Finding(
            code="drift.worse-than-source",
            severity="medium",
            because=(difference.name, gain.name),
            values={
                "method": method,
                "whom": other,
                "less": -difference.value,
                "low": -difference.high,
                "high": -difference.low,
            },
        )
    return Finding(
        code="drift.reasons",
        severity="info",
        because=(gain.name,),
        values=values,
    )


def stability(seen: Seen, methods: Sequence[str], rng: np.random.Generator, level: float) -> Part:
    """Do replicas with other seeds give the same reasons for the label, as much as they do among each other?"""
    method = next((one for one in methods if maps_of(seen.get("audited"), one) is not None), None)
    if method is None:
        return Part()
    seeds, random = among(seen, "seeds/", method), among(seen, "randomised/", method)
    if not seeds or not random:
        return Part()
    audited = maps_of(seen["audited"], method)
    assert audited is not None
    to_seeds, to_random = (mean_of(signed_cosine(audited, one) for one in models) for models in (seeds, random))
    alike = bootstrap_mean("checkpoint.stability", to_seeds, rng, level=level, unit="cosine", better="higher")
    chance = bootstrap_mean("ceiling.label_similarity", to_random, rng, level=level, unit="cosine", better="lower")
    estimates = [alike, dataclasses.replace(chance, aid=True)]
    beyond = None
    if len(seeds) > 1:
        between = mean_of(signed_cosine(one, other) for one, other in combinations(seeds, 2))
        beyond = bootstrap_mean(
            "checkpoint.instability", between - to_seeds, rng, level=level, unit="cosine", better="lower"
        )
        estimates.append(beyond)
    hardly = alike.high < chance.value + HARDLY
    unstable = hardly or (beyond is not None and beyond.low > UNSTABLE)
    findings = (_unstable(alike, chance, None if hardly else beyond),) if unstable else ()
    return Part(estimates=tuple(estimates), findings=findings)


def _unstable(alike: Estimate, chance: Estimate, beyond: Estimate | None) -> Finding:
    if beyond is None:
        return Finding(
            code="drift.unstable",
            severity="medium",
            because=(alike.name, chance.name),
            values={"stability": alike.value, "low": alike.low, "high": alike.high, "random": chance.value},
        )
    return Finding(
        code="drift.outlier",
        severity="medium",
        because=(beyond.name, alike.name),
        values={"beyond": beyond.value, "low": beyond.low, "high": beyond.high},
    )


def _summary(method: str, last: Estimate) -> Estimate:
    title = Message("drift.sanity-of.title", {"method": method})
    return dataclasses.replace(last, name=f"sanity.{method}", title=title)
